using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Confluent.Kafka;
using OrdersStream.Configuration;

namespace OrdersStream.Kafka;

/// <summary>
/// The functions of librdkafka that Confluent.Kafka does not offer: many records with one call, and none of them copied. They are called in
/// the library that it has loaded, on its own client, so that all else stays with it. Names and constants are those of rdkafka.h.
/// </summary>
/// <remarks>
/// The way to the native client is no public part of Confluent.Kafka, whose version is pinned. Where a later one looks different, every
/// record takes its ordinary calls, and a test fails.
/// </remarks>
internal sealed unsafe class Librdkafka
{
    private const string KeptWhole = "A program that is trimmed keeps Confluent.Kafka whole: it finds its own functions by name too.";

    /// <summary>The major version whose records are laid out as <see cref="NativeRecord"/> is.</summary>
    private const int MajorVersion = 2;

    public readonly delegate* unmanaged<nint, nint, nint, nint> TopicNew;
    public readonly delegate* unmanaged<nint, void> TopicDestroy;
    public readonly delegate* unmanaged<nint, int, int, NativeRecord*, int, int> ProduceBatch;

    public readonly delegate* unmanaged<nint, nint> QueueGetConsumer;
    public readonly delegate* unmanaged<nint, void> QueueDestroy;
    public readonly delegate* unmanaged<nint, int, NativeRecord**, nint, nint> ConsumeBatchQueue;
    public readonly delegate* unmanaged<NativeRecord*, void> MessageDestroy;
    public readonly delegate* unmanaged<NativeRecord*, int*, long> MessageTimestamp;
    public readonly delegate* unmanaged<NativeRecord*, nint*, int> MessageHeaders;
    public readonly delegate* unmanaged<nint, nint, nint*, nint*, nuint*, int> HeaderGetAll;

    private readonly delegate* unmanaged<nint, int, nint> clusterId;
    private readonly delegate* unmanaged<nint, nint, void> memoryFree;

    private Librdkafka(nint client, nint library)
    {
        Client = client;
        TopicNew = (delegate* unmanaged<nint, nint, nint, nint>)Export("rd_kafka_topic_new");
        TopicDestroy = (delegate* unmanaged<nint, void>)Export("rd_kafka_topic_destroy");
        ProduceBatch = (delegate* unmanaged<nint, int, int, NativeRecord*, int, int>)Export("rd_kafka_produce_batch");
        QueueGetConsumer = (delegate* unmanaged<nint, nint>)Export("rd_kafka_queue_get_consumer");
        QueueDestroy = (delegate* unmanaged<nint, void>)Export("rd_kafka_queue_destroy");
        ConsumeBatchQueue = (delegate* unmanaged<nint, int, NativeRecord**, nint, nint>)Export("rd_kafka_consume_batch_queue");
        MessageDestroy = (delegate* unmanaged<NativeRecord*, void>)Export("rd_kafka_message_destroy");
        MessageTimestamp = (delegate* unmanaged<NativeRecord*, int*, long>)Export("rd_kafka_message_timestamp");
        MessageHeaders = (delegate* unmanaged<NativeRecord*, nint*, int>)Export("rd_kafka_message_headers");
        HeaderGetAll = (delegate* unmanaged<nint, nint, nint*, nint*, nuint*, int>)Export("rd_kafka_header_get_all");
        clusterId = (delegate* unmanaged<nint, int, nint>)Export("rd_kafka_clusterid");
        memoryFree = (delegate* unmanaged<nint, nint, void>)Export("rd_kafka_mem_free");

        nint Export(string name) => NativeLibrary.GetExport(library, name);
    }

    /// <summary>The native client; valid until the producer or consumer is disposed of.</summary>
    public nint Client { get; }

    /// <summary>The id of the client's cluster, as its brokers told it when it connected. Blocks; null: they tell none.</summary>
    /// <param name="patience">How long to wait for the first answer.</param>
    public string? ClusterId(TimeSpan patience)
    {
        var text = clusterId(Client, (int)patience.TotalMilliseconds);
        if (text == 0) return null;
        try
        {
            return Marshal.PtrToStringUTF8(text);
        }
        finally
        {
            memoryFree(Client, text);
        }
    }

    /// <summary>Null where Confluent.Kafka is not as it is known here.</summary>
    /// <param name="handle">The producer's or consumer's.</param>
    /// <param name="options">Whether it is wanted.</param>
    public static Librdkafka? Of(Handle handle, KafkaOptions options)
    {
        if (!options.RecordsInPlace || Library.Version >> 24 != MajorVersion) return null;
        try
        {
            if (LibrdkafkaHandle(handle) is not SafeHandle client || !TryLoad(out var library)) return null;
            return new Librdkafka(client.DangerousGetHandle(), library);
        }
        catch (Exception)
        {
            // A member, a function or the library is not there, or is something else: to do without is slower, and goes on.
            return null;
        }
    }

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_LibrdkafkaHandle")]
    [return: UnsafeAccessorType("Confluent.Kafka.Impl.SafeKafkaHandle, Confluent.Kafka")]
    private static extern object? LibrdkafkaHandle(Handle handle);

    // Confluent.Kafka brings one library for each of several systems, and loads the one that fits.
    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = KeptWhole)]
    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = KeptWhole)]
    private static bool TryLoad(out nint library)
    {
        const BindingFlags inside = BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public;
        library = 0;
        var assembly = typeof(Handle).Assembly;
        var loaded = assembly.GetType("Confluent.Kafka.Impl.Librdkafka")?.GetField("_version", inside)?.GetValue(null) as Delegate;
        return loaded?.Method.DeclaringType?.GetField("DllName", inside) is { IsLiteral: true } name
            && name.GetRawConstantValue() is string path && NativeLibrary.TryLoad(path, assembly, null, out library);
    }
}

/// <summary><c>rd_kafka_message_t</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeRecord
{
    public int Error;
    public nint Topic;
    public int Partition;
    public nint Value;
    public nuint ValueBytes;
    public nint Key;
    public nuint KeyBytes;
    public long Offset;
    public nint Private;
}
