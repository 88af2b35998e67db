"""Build, store and deploy the stack; look at what is deployed."""
