"""The run over its phases, with steps that write down what is done with them."""
