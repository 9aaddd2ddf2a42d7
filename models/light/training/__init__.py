"""How `mouth_net.npz` is made: a corpus of speech with phone times, augmentation, training, scoring, export."""
