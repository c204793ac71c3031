"""The front door: an OpenAI-compatible service that always answers with the promoted checkpoint of a run."""
