"""What `sevedo quantize` is made of besides the flow: texts and recipes read, progress shown, results summed up."""
