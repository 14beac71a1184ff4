"""How good an artifact is: identified by noise and length, strangers, places, likeness."""
