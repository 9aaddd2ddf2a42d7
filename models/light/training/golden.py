"""Makes the stored clips of `tests/golden/speech`: a WAV and its phones, of voices that training never hears.

    python -m models.light.training.golden --net /tmp/voice/net.pt --out tests/golden/speech

The recorded clip's phones come from alignment by the network; the others are exact.
"""

import argparse
from pathlib import Path

from models.light.training import espeak, festvox, prompts
from models.light.training.utterance import Utterance, save_utterance, with_level

ENGLISH = (
    "Bob put a big map by the lamp. My mother made a warm apple pie, and five happy people "
    "moved the table before the party began."
)
_LONGEST_S = 9.0


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--net", type=Path, required=True, help="aligns the recorded clip")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    recorded = prompts.aligned_prompts("it", arguments.net, held_out=True)
    clips = {
        "espeak_f2_english": espeak.Espeak().speak(ENGLISH, "en-us+f2"),
        "hts_slt_english": next(iter(festvox.festival_says("cmu_us_slt_arctic_hts", [ENGLISH]))),
        "hts_ona_catalan": next(u for u in festvox.festival_utterances("upc_ca_ona_hts", 2, 7001) if u.duration_s > 5),
        "recorded_carlo_italian": max((u for u in recorded if u.duration_s < _LONGEST_S), key=lambda u: u.duration_s),
    }
    for name, clip in clips.items():
        save_utterance(
            Utterance(clip.voice, with_level(clip.samples), clip.segments, clip.text), arguments.out / f"{name}.wav"
        )
        print(f"{name}: {clip.duration_s:.2f} s, {len(clip.segments)} phones, {clip.text}")


if __name__ == "__main__":
    main()
