"""The sections of the report, each from the analysis and a catalogue."""
