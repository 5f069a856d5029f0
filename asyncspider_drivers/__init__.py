"""The drivers of asyncspider, one folder a cloud. Import one and you import its cloud's SDK."""
