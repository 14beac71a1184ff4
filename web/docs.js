// The interactive API page: the Swagger UI that BentoML ships, on our one document.
const script = document.createElement("script");
script.src = "static_content/swagger-ui-bundle.js";
script.onload = () =>
  window.SwaggerUIBundle({
    url: "openapi.json",
    dom_id: "#swagger",
    deepLinking: true,
    tryItOutEnabled: true,
    docExpansion: "list",
    defaultModelsExpandDepth: -1,
    validatorUrl: null, // the default is another host
  });
document.head.append(script);
