"""What a person may type: the parsers of the commands, which import what a command needs when it runs."""
