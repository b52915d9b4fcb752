"""From a trained layer to a quantized one: steps that can be switched off and measured one by one."""
