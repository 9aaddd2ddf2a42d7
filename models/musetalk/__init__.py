"""MuseTalk 1.5: 50 tokens of sound and a picture's latents in, the picture of the mouth out, one UNet step a frame.

The nets need the extra `musetalk` (torch, diffusers, transformers); `weight_files`, which tells whether they could run,
does not. `models.catalog` imports the rest only when it is asked for. Importing sets no threads and picks no device.
"""
