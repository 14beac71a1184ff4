"""A cover → a photo that a phone could have taken of it, and where in it the cover lies.

    cover, generator ─photo→ (surroundings, coverings, camera) ─→ Photo(image, quad)

Begin with `photo`: `simulate_photo`, and the presets. What it calls, in the order it calls it:

    surroundings  tables, walls, screens and shelves, drawn
    coverings     hands, stickers and whatever else lies over a sleeve
    camera        light, lens, sensor, file format
    drawing       what these draw with

Everything random comes from the generator passed in, so the order of draws is part of what a seed
means: tests/covers/photos/test_photo.py holds it. Training, calibration and trials draw here;
nothing that answers requests does. Of this project nothing is imported.
"""
