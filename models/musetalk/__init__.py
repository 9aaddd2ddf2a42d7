"""MuseTalk 1.5: 50 tokens of sound and a picture's latents in, the picture of the mouth out, one UNet step a frame.

Everything here but `weight_files` and `weight_fetch` needs the extra `musetalk` (torch, diffusers, transformers);
`models.catalog` imports it only when it is asked for. Importing it sets no threads and picks no device.
"""
