"""What was measured of a take → what three of a jury say of it, in the singer's language.

A comment never makes a number, and no number waits for one: `by`, in turn, a server, a second one,
a template, all within five seconds. From the bottom to the top:

    facts     results → what a jury is told
    personas  the three: how each speaks
    form      a comment as it may be shown, or why it may not
    unjudged  what each says of a take that is not that song, or a part of it
    template  what each says where no server does
    chat      a server that speaks as OpenAI's does
    jury      all three, side by side, until the time is up
"""
