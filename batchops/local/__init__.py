"""The local engine: an AWS emulator as a process on this computer."""
