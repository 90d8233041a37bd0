"""A model of one and of many nodes under the load of a day, made of the product's own policies."""
