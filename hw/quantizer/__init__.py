"""The activation quantizer: numbers of the data format in, codes, numbers of fine groups and scales out."""
