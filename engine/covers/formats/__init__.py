"""What each format of pictures needs beyond Pillow, so that a picture is seen right or refused.

In: a file's bytes, or what Pillow opened of them. Out: bytes that Pillow reads rightly, pixels, or
`Unsupported`. Begin with `known`, the table of them; all pictures end in `rgb`.

    known            the formats that are promised: how files begin and end, who opens them
    png, bmp, bmff   before Pillow opens them: chunks without pixels, masks, HEIC or AVIF
    tiff             opened: which samples mean what, which layouts come out wrong
    jpeg             decoded: whether rows are missing
    rgb, colour      decoded: any mode → RGB over white; ICC profiles → sRGB
    unsupported      the refusal

Imports nothing of covers. tests/covers/test_layouts.py tries every layout of pixels that there is.
"""
