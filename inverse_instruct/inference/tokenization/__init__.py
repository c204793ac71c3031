"""From words to token ids, as the model's own tokenizer and chat template have it; none of it runs in our process."""
