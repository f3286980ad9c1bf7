// An application of the JDK's own server that knows nothing of OpenTelemetry.
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.util.logging.Logger;

public class App {
  private static final Logger LOG = Logger.getLogger("app");

  public static void main(String[] arguments) throws Exception {
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 18003), 0);
    server.createContext("/hello/", exchange -> {
      LOG.warning("hello " + exchange.getRequestURI());
      byte[] body = "hello".getBytes();
      exchange.sendResponseHeaders(exchange.getRequestURI().getPath().endsWith("bad") ? 500 : 200, body.length);
      exchange.getResponseBody().write(body);
      exchange.close();
    });
    server.start();
  }
}
