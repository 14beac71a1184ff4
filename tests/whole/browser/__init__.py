"""The page in a real Chromium. A package, so that its browser ends with its tests."""
