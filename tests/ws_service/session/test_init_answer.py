from ws_service.session.init_answer import SessionLimits, init_success
from ws_service.session.timeline import Timeline


def test_the_answer_tells_all_a_client_needs_to_begin() -> None:
    timeline = Timeline({"idle_0": 50, "speaking_0": 50, "action_1": 25, "action_2": 25}, same_pose=True)
    answer = init_success("s", timeline, "avc1.42C01E", SessionLimits(max_queued_audio_s=30), {"name": "light"})
    assert answer.session_id == "s"
    assert answer.data.available_videos == ["action_1", "action_2", "idle_0", "speaking_0"]
    assert answer.data.default_video == "idle_0"
    assert answer.data.model_loaded
    assert answer.data.streaming_started
    assert answer.data.codec == "avc1.42C01E"
    assert answer.data.limits == {
        "max_queued_audio_s": 30,
        "max_queued_utterances": 64,
        "max_chunk_bytes": 2 * 1024 * 1024,
        "actions": 2,
    }
    assert answer.data.engine == {"name": "light"}
    assert answer.data.sample_rates is not None
    assert {8000, 16000, 48000} <= set(answer.data.sample_rates)
