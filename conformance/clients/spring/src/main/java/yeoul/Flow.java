package yeoul;

import io.lettuce.core.ClientOptions;
import io.lettuce.core.protocol.ProtocolVersion;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.springframework.data.domain.Range;
import org.springframework.data.redis.connection.RedisStandaloneConfiguration;
import org.springframework.data.redis.connection.lettuce.LettuceClientConfiguration;
import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;
import org.springframework.data.redis.connection.stream.Consumer;
import org.springframework.data.redis.connection.stream.MapRecord;
import org.springframework.data.redis.connection.stream.ReadOffset;
import org.springframework.data.redis.connection.stream.RecordId;
import org.springframework.data.redis.connection.stream.StreamOffset;
import org.springframework.data.redis.connection.stream.StreamReadOptions;
import org.springframework.data.redis.connection.stream.StreamRecords;
import org.springframework.data.redis.core.StreamOperations;
import org.springframework.data.redis.core.StringRedisTemplate;
import org.springframework.data.redis.stream.StreamMessageListenerContainer;
import org.springframework.data.redis.stream.StreamMessageListenerContainer.StreamMessageListenerContainerOptions;
import org.springframework.data.redis.stream.Subscription;

/** What a Spring application does with a stream: Flow PORT 2|3 prints `done`, or ends with what went wrong. */
public final class Flow {
  private static final String STREAM = "orders";
  private static final String GROUP = "billing";

  public static void main(String[] args) throws Exception {
    var protocol = args[1].equals("3") ? ProtocolVersion.RESP3 : ProtocolVersion.RESP2;
    var client =
        LettuceClientConfiguration.builder()
            .clientName("spring")
            .commandTimeout(Duration.ofSeconds(10))
            .clientOptions(ClientOptions.builder().protocolVersion(protocol).build())
            .build();
    var connections =
        new LettuceConnectionFactory(
            new RedisStandaloneConfiguration("127.0.0.1", Integer.parseInt(args[0])), client);
    connections.afterPropertiesSet();
    connections.start();
    try {
      run(connections);
      System.out.println("done");
    } finally {
      connections.destroy();
    }
  }

  private static void run(LettuceConnectionFactory connections) throws Exception {
    var template = new StringRedisTemplate(connections);
    template.afterPropertiesSet();
    template.delete(STREAM);
    StreamOperations<String, String, String> streams = template.opsForStream();

    RecordId first = streams.add(MapRecord.create(STREAM, Map.of("item", "책", "count", "1")));
    equal("size", 1L, streams.size(STREAM));
    equal("createGroup", "OK", streams.createGroup(STREAM, ReadOffset.from("0"), GROUP));

    BlockingQueue<MapRecord<String, String, String>> grouped = new LinkedBlockingQueue<>();
    BlockingQueue<MapRecord<String, String, String>> tailed = new LinkedBlockingQueue<>();
    BlockingQueue<Throwable> failures = new LinkedBlockingQueue<>();
    var options =
        StreamMessageListenerContainerOptions.builder()
            .pollTimeout(Duration.ofMillis(500))
            .batchSize(10)
            .errorHandler(failures::add)
            .build();
    var container = StreamMessageListenerContainer.create(connections, options);
    container.start();
    try {
      // XREADGROUP … > and XREAD … by position, both with BLOCK.
      Subscription group =
          container.receive(
              Consumer.from(GROUP, "worker-1"),
              StreamOffset.create(STREAM, ReadOffset.lastConsumed()),
              grouped::add);
      Subscription tail = container.receive(StreamOffset.create(STREAM, ReadOffset.from("0")), tailed::add);
      if (!group.await(Duration.ofSeconds(10)) || !tail.await(Duration.ofSeconds(10))) {
        throw new AssertionError("the subscriptions did not become active");
      }
      equal("first of the group", first, taken(grouped, failures).getId());
      equal("first of the tail", "책", taken(tailed, failures).getValue().get("item"));
      for (int i = 0; i < 200; i++) {
        RecordId id = streams.add(StreamRecords.mapBacked(Map.of("item", "item-" + i)).withStreamKey(STREAM));
        equal("group", id, taken(grouped, failures).getId());
        equal("tail", id, taken(tailed, failures).getId());
      }
    } finally {
      container.stop();
    }
    if (!failures.isEmpty()) throw new AssertionError("the container failed", failures.peek());

    equal("pending", 201L, streams.pending(STREAM, GROUP).getTotalPendingMessages());
    var pending = streams.pending(STREAM, Consumer.from(GROUP, "worker-1"), Range.unbounded(), 5);
    equal("pending of the consumer", 5, pending.size());
    equal("deliveries", 1L, pending.get(0).getTotalDeliveryCount());
    var claimed = streams.claim(STREAM, GROUP, "worker-2", Duration.ZERO, first);
    equal("claimed", "책", claimed.get(0).getValue().get("item"));
    equal("acknowledged", 1L, streams.acknowledge(STREAM, GROUP, first));
    List<MapRecord<String, String, String>> history =
        streams.read(
            Consumer.from(GROUP, "worker-1"),
            StreamReadOptions.empty().count(3),
            StreamOffset.create(STREAM, ReadOffset.from("0")));
    equal("history", 3, history.size());
    equal("groups", 1L, (long) streams.info(STREAM).groupCount());
    equal("pending of the group", 200L, streams.groups(STREAM).get(0).pendingCount());
    equal("consumers", 2L, streams.consumers(STREAM, GROUP).stream().count());
    equal("range", 201, streams.range(STREAM, Range.unbounded()).size());
    equal("reverse range", first, last(streams.reverseRange(STREAM, Range.unbounded())).getId());
    equal("trimmed", 191L, streams.trim(STREAM, 10));
    equal("group destroyed", true, streams.destroyGroup(STREAM, GROUP));
  }

  private static <T> T taken(BlockingQueue<T> queue, BlockingQueue<Throwable> failures) throws Exception {
    T next = queue.poll(10, TimeUnit.SECONDS);
    if (next == null) throw new AssertionError("nothing came within ten seconds", failures.peek());
    return next;
  }

  private static <T> T last(List<T> list) {
    return list.get(list.size() - 1);
  }

  private static void equal(String what, Object wanted, Object got) {
    if (!wanted.equals(got)) throw new AssertionError(what + ": wanted " + wanted + ", got " + got);
  }
}
