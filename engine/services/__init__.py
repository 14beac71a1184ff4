"""Ways to find music → what BentoML starts. Begin with `visual`.

    present  which capabilities answer here: installed, wanted, and with something to serve
    start    what a launcher needs to know of a service before it is one: its name, its opener
    composed what each is made of, BentoML or not
    visual   `service:ShazamVisual`: covers, and beside them whatever else is present
    sound    `service:ShazamSound`: sound alone
    library  `service:ShazamLibrary`: sound, and the library that it grows by

The one room that knows covers and sound; they do not know each other. A further way is a name in
`present`, and a file here where it is served alone.
"""
