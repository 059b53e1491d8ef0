"""The API's reference: the OpenAPI and AsyncAPI documents, and the page that shows both."""
