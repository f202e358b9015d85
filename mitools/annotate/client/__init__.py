"""The client of an OpenAI-compatible endpoint: requests, the journal of responses, the budget."""
