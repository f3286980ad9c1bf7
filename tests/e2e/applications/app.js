// An Express application that knows nothing of OpenTelemetry.
const app = require("express")();
app.get("/hello/:name", (request, response) => {
  response.status(request.params.name === "bad" ? 500 : 200).send("hello");
});
app.listen(18002, "127.0.0.1");
