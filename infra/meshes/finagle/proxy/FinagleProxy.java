import com.twitter.finagle.ClientConnection;
import com.twitter.finagle.Http;
import com.twitter.finagle.ListeningServer;
import com.twitter.finagle.Service;
import com.twitter.finagle.ServiceFactory;
import com.twitter.finagle.http.Request;
import com.twitter.finagle.http.Response;
import com.twitter.finagle.http.Status;
import com.twitter.finagle.http.Version;
import com.twitter.util.Await;
import com.twitter.util.Duration;
import com.twitter.util.Future;
import com.twitter.util.StorageUnit;
import com.twitter.util.Time;
import java.io.Reader;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import java.util.concurrent.atomic.LongAdder;

/**
 * A proxy on Finagle's HTTP stack, the one that Linkerd 1.x stood on, with a single upstream: the stack, its pools and its
 * statistics on a JVM, without Linkerd's router and its plugins.
 *
 * <p>Its argument is a file of properties, as {@code finagle.ts} writes them: {@code listen}, {@code admin} and {@code
 * upstream} (host:port), {@code workers} (threads that carry traffic), {@code connectMs}, {@code idleMs}, {@code
 * upstreamIdleMs}, {@code headerBytes}, {@code connections} (to the upstream). The admin listener answers {@code /ready} and
 * {@code /counters}, {@code name value} a line.
 */
public final class FinagleProxy {
  private static final LongAdder requests = new LongAdder();
  private static final LongAdder connections = new LongAdder();

  public static void main(String[] arguments) throws Exception {
    if (arguments.length == 1 && arguments[0].equals("--version")) {
      String version = Http.class.getPackage().getImplementationVersion();
      System.out.println("finagle " + version + ", Java " + System.getProperty("java.vm.version"));
      return;
    }
    Properties given = new Properties();
    try (Reader config = Files.newBufferedReader(Path.of(arguments[0]))) {
      given.load(config);
    }
    // A global flag, read when the stack is first touched.
    System.setProperty("com.twitter.finagle.netty4.numWorkers", given.getProperty("workers"));
    StorageUnit headers = StorageUnit.fromBytes(Long.parseLong(given.getProperty("headerBytes")));
    Service<Request, Response> upstream =
        Http.client()
            .withLabel("upstream")
            .withMaxHeaderSize(headers)
            // Bodies stream through, and nothing is tried again, as in the other proxies.
            .withStreaming(true)
            .withNoHttp2()
            .withTransport().connectTimeout(milliseconds(given.getProperty("connectMs")))
            .withSessionPool().ttl(milliseconds(given.getProperty("upstreamIdleMs")))
            .withSessionPool().maxSize(Integer.parseInt(given.getProperty("connections")))
            .withSessionQualifier().noFailFast()
            .withSessionQualifier().noFailureAccrual()
            .newService(given.getProperty("upstream"), "upstream");
    ListeningServer downstream =
        Http.server()
            .withLabel("downstream")
            .withMaxHeaderSize(headers)
            .withStreaming(true)
            .withNoHttp2()
            .withSession().maxIdleTime(milliseconds(given.getProperty("idleMs")))
            .serve(address(given.getProperty("listen")), counted(upstream));
    ListeningServer admin = Http.server().withLabel("admin").serve(address(given.getProperty("admin")), new Admin());
    Runtime.getRuntime().addShutdownHook(new Thread(() -> close(downstream, admin)));
    Await.ready(downstream);
  }

  private static ServiceFactory<Request, Response> counted(Service<Request, Response> upstream) {
    Service<Request, Response> service =
        new Service<Request, Response>() {
          @Override
          public Future<Response> apply(Request request) {
            requests.increment();
            return upstream.apply(request);
          }
        };
    return new ServiceFactory<Request, Response>() {
      @Override
      public Future<Service<Request, Response>> apply(ClientConnection connection) {
        connections.increment();
        return Future.value(service);
      }

      @Override
      public Future<scala.runtime.BoxedUnit> close(Time deadline) {
        return upstream.close(deadline);
      }

      @Override
      public com.twitter.finagle.Status status() {
        return upstream.status();
      }
    };
  }

  private static final class Admin extends Service<Request, Response> {
    @Override
    public Future<Response> apply(Request request) {
      boolean isCounters = request.path().equals("/counters");
      boolean isKnown = isCounters || request.path().equals("/ready");
      Response response = Response.apply(Version.Http11(), isKnown ? Status.Ok() : Status.NotFound());
      if (isCounters) {
        response.setContentString("requests " + requests.sum() + "\nconnections " + connections.sum() + "\n");
      }
      return Future.value(response);
    }
  }

  private static void close(ListeningServer... servers) {
    for (ListeningServer server : servers) {
      try {
        Await.ready(server.close(Duration.fromMilliseconds(1000)), Duration.fromMilliseconds(1500));
      } catch (Exception stuck) {
        // The process ends either way.
      }
    }
  }

  private static Duration milliseconds(String text) {
    return Duration.fromMilliseconds(Long.parseLong(text));
  }

  private static InetSocketAddress address(String text) {
    int at = text.lastIndexOf(':');
    return new InetSocketAddress(text.substring(0, at), Integer.parseInt(text.substring(at + 1)));
  }
}
