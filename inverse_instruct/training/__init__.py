"""What runs under the DeepSpeed launcher: tokenizing rows and the training worker."""
