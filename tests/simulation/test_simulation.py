"""Many speakers on a card that does 40 frames in 40 ms: who is late, at what rate all speak, who is refused."""

from pathlib import Path

import pytest

from protocol.codes import ErrorCode
from tests.simulation.__main__ import main
from tests.simulation.card import Card
from tests.simulation.run import Outcome, Scenario, all_speaking, crowd, fresh_fps, run
from tests.simulation.session import TICK_S, Script


def check_whole(outcome: Outcome) -> None:
    """Whoever was let in heard all he said, frame by frame; the grid of no session broke."""
    for user in outcome.spoke:
        assert sum(shown.generated for shown in user.tally.frames) == user.frames_pushed
        assert len(user.tally.started_s) == len(user.tally.ended_s) == user.script.utterances
    assert outcome.lost_ticks == 0


@pytest.mark.parametrize("burst", [False, True])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_32_speakers_are_admitted_at_the_full_rate_and_none_is_late(burst, seed):
    outcome = run(Scenario(crowd(32, 4.0, seed, burst=burst), seed=seed))
    assert outcome.full_rate == 32
    assert sum(outcome.held) == 0
    check_whole(outcome)
    window = all_speaking(outcome.users)
    assert all(fresh_fps(user, *window) == pytest.approx(25) for user in outcome.users)


@pytest.mark.parametrize("seed", [1, 2])
def test_60_speakers_see_at_least_12_and_a_half_generated_frames_a_second_each(seed):
    outcome = run(Scenario(crowd(60, 4.0, seed), seed=seed))
    assert len(outcome.spoke) == 60
    window = all_speaking(outcome.users)
    assert min(fresh_fps(user, *window) for user in outcome.users) >= 12.5
    assert sum(outcome.held) == 0
    check_whole(outcome)


def test_of_70_the_last_six_are_refused_and_the_others_unharmed():
    outcome = run(Scenario(crowd(70, 4.0)))
    refused = [user for user in outcome.users if user.refused]
    by_begin = sorted(outcome.users, key=lambda user: user.script.begins_s)
    assert refused
    assert {id(user) for user in refused} == {id(user) for user in by_begin[64:]}
    for user in refused:
        assert [error.data.code for error in user.tally.errors] == [ErrorCode.RATE_LIMIT_EXCEEDED]
        assert not user.tally.started_s
        assert not any(shown.generated for shown in user.tally.frames)
    window = all_speaking(outcome.spoke)
    assert min(fresh_fps(user, *window) for user in outcome.spoke) >= 12.5
    assert sum(outcome.held) == 0
    check_whole(outcome)


@pytest.mark.parametrize("speakers", [32, 60])
def test_an_interrupt_is_seen_within_three_ticks_however_many_speak(speakers):
    scripts = [
        Script(script.begins_s, 3.0, interrupts_after_s=1.5 + 0.017 * n) for n, script in enumerate(crowd(speakers))
    ]
    outcome = run(Scenario(tuple(scripts)))
    for user in outcome.users:
        last_s = max(shown.at_s for shown in user.tally.frames if shown.generated)
        assert user.interrupt_s is not None
        assert last_s - user.interrupt_s <= 3 * TICK_S
        assert user.tally.interrupted_s[0] - user.interrupt_s <= TICK_S


def test_when_the_crowd_has_gone_the_full_rate_comes_back():
    stays, go = Script(0.1, 5.0), [Script(0.2 + 0.001 * n, 1.5) for n in range(50)]
    outcome = run(Scenario((stays, *go)))
    user = outcome.users[0]
    left_s = max(other.tally.ended_s[0] for other in outcome.users[1:])
    assert fresh_fps(user, left_s - 1, left_s - 0.2) == pytest.approx(12.5, abs=1)
    assert fresh_fps(user, left_s + 0.2, user.tally.ended_s[0] - 0.08) == pytest.approx(25)


def test_all_at_the_same_moment_with_the_whole_utterance_at_once_are_served_evenly():
    outcome = run(Scenario(tuple(Script(0.5, 2.0, burst=True) for _ in range(48)), together=True))
    assert len(outcome.spoke) == 48
    assert max(outcome.held) - min(outcome.held) <= 2
    starts_s = [user.tally.started_s[0] for user in outcome.users]
    assert max(starts_s) - min(starts_s) <= 3 * TICK_S
    check_whole(outcome)


def test_one_avatar_that_takes_longer_harms_nobody_more_than_others():
    outcome = run(Scenario(crowd(24, 4.0), Card(slow_s=0.008), slow=1))
    assert max(outcome.held) <= 5
    check_whole(outcome)


def test_a_card_that_is_slower_than_it_was_when_measured_starves_nobody():
    outcome = run(Scenario(crowd(32, 4.0), Card(slow_s=0.0006), slow=32))
    window = all_speaking(outcome.users)
    rates = [fresh_fps(user, *window) for user in outcome.users]
    assert max(rates) < 24, "it is overloaded"
    assert min(rates) >= 0.85 * max(rates)
    check_whole(outcome)


def test_the_command_takes_a_folder_and_no_options(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for option, status in (("--help", 0), ("--picture", 2)):
        monkeypatch.setattr("sys.argv", ["simulation", option])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == status
    assert "[folder]" in capsys.readouterr().out
    assert list(Path().iterdir()) == []
