"""Networks that read molecules: message passing on bonds, and encoders of other features."""
