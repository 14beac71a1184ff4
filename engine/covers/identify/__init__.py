"""A photo → which album's cover it shows, where, and how sure that is.

    photo ─views.working_copy→ 360 pixels, and its halvings
      │
      ├─ outlines: straight lines → up to 8 quadrilaterals        where could a sleeve lie?
      ├─ keypoints → 3 covers, each with a place   ┐
      ├─ sleeves: a network → 2 more, less exact   │ only while nothing is sure
      ├─ frames, more outlines, the encoder's idea ┘
      │
      │   each outline, seen square-on, turned four ways
      ▼
    layout code ─references.nearest→ some rows, likeliest first   which cover could that be?
      │
      ▼
    proof: patches of the cover looked for nearby → exact quad,   does the photo show this very one?
    then cell by cell: own_correlation … explained, verdict
      │
      ├─ likeness, margin: of layout codes at the exact quad
      ├─ sight: the encoder's glance at it → alike, ahead
      ├─ keypoints that agree, where that leaves a doubt
      ▼
    Candidate ─calibration→ probability ─┐                        what is all that worth?
    the best of all candidates ──────────┴─identifier→ match | ambiguous | no_match

    Where that shows no album: once more in a mirror, more briefly, and only what is sure counts.
    With `many`: again, what was found painted over. An artifact without covers has no references:
    then the encoder's nearest album decides alone, and no confidence is above 0.75.

Begin with `identifier`, then `proving`: the order in which places and covers are tried, and when to
stop. The others answer one question each and know nothing of one another's order:

    identifier   the decision, and what is said of it: `Identifier.by_image`
    proving      proposals, likeliest first, until one is sure
    views        working copy, halvings, a quadrilateral seen square-on
    outlines     lines → quadrilaterals
    sleeves      a network → quadrilaterals, where lines are hidden
    keypoints    what agrees in one turn and growth → covers and places, without an outline
    older_keypoints  … of artifacts built before those
    places       of one photo all these places, found once, also for its mirror image
    layout       a square view → 256 numbers
    references   what is known of every cover, by row
    codes        … the layout codes of few covers, in memory
    mapped       … of many covers all but 40 bytes each, on disk
    proof        view and cover → `Proof`
    explained    … once the cover is blurred and lit as the photo is
    verdict      … by a network that looks at the maps of the comparison
    sight        what the encoder says of a place
    candidate    cover, place and evidence together; the features a calibration weighs
    calibration  features → a probability that means what it says
    network      convolutions in numpy, for sleeves and verdict

Words:

    reference  a cover, prepared to be compared; its *row* is its place in all arrays of references
    twins      rows with the same artwork: of those nobody can tell which one a photo shows
    outline    a quadrilateral from lines; *sleeve*, from the network; *frame*, the picture's own
    quad       (4, 2) corners in pixels, clockwise from the cover's own top left
    view       what lies in a quad, seen square-on
    proposal   a row and a quad, worth a proof; cheap, often wrong
    own        how much of a cell no similar cover of the catalogue has: what tells a series apart
    cells      16 × 16 windows in which view and cover are compared; *maps* are numbers for each
    explained  what of a view is accounted for by the cover, blurred and lit as the photo is
    verdict    log-odds of a network that sees the maps and no pixels
    glance     one view, embedded, and the references near it
    alike      cosine of a glance to the candidate's embedding; *ahead*, how far the next is behind
               (what counts for covers too plain to align)
    likeness   cosine of layout codes; *margin*, how far the next is behind
    rival      another candidate of the same place that the photo shows as much of
    stranger   a photo of a cover that the catalogue lacks

What is fitted for all covers lies here (`layout.npz`, `sleeves.npz`, `verdict.npz`, made in
training/), what for an artifact's own in its `identify/` (made in `engine.covers.making`). Not to
be imported: making, photos, trials, service; what answers requests fits and draws nothing.
"""
