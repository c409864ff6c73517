using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Confluent.Kafka;

namespace OrdersStream.Kafka.Native;

/// <summary>
/// The functions of librdkafka that Confluent.Kafka does not offer: many records with one call, and none of them copied. They are called in
/// the library that it has loaded, on its own clients, so that all else stays with it. Names and constants are those of rdkafka.h.
/// </summary>
/// <remarks>The way to the native client is no public part of Confluent.Kafka, whose version is pinned; a test fails where a later one looks different.</remarks>
internal static unsafe class Librdkafka
{
    private const string KeptWhole = "A program that is trimmed keeps Confluent.Kafka whole: it finds its own functions by name too.";

    // First: what follows is looked up in it.
    private static readonly nint Library = Load();

    public static readonly delegate* unmanaged<nint, nint, nint, nint> TopicNew = (delegate* unmanaged<nint, nint, nint, nint>)Export("rd_kafka_topic_new");
    public static readonly delegate* unmanaged<nint, void> TopicDestroy = (delegate* unmanaged<nint, void>)Export("rd_kafka_topic_destroy");
    public static readonly delegate* unmanaged<nint, int, int, NativeRecord*, int, int> ProduceBatch =
        (delegate* unmanaged<nint, int, int, NativeRecord*, int, int>)Export("rd_kafka_produce_batch");

    public static readonly delegate* unmanaged<nint, nint> QueueGetConsumer = (delegate* unmanaged<nint, nint>)Export("rd_kafka_queue_get_consumer");
    public static readonly delegate* unmanaged<nint, void> QueueDestroy = (delegate* unmanaged<nint, void>)Export("rd_kafka_queue_destroy");
    public static readonly delegate* unmanaged<nint, int, NativeRecord**, nint, nint> ConsumeBatchQueue =
        (delegate* unmanaged<nint, int, NativeRecord**, nint, nint>)Export("rd_kafka_consume_batch_queue");
    public static readonly delegate* unmanaged<NativeRecord*, void> MessageDestroy = (delegate* unmanaged<NativeRecord*, void>)Export("rd_kafka_message_destroy");
    public static readonly delegate* unmanaged<NativeRecord*, int*, long> MessageTimestamp = (delegate* unmanaged<NativeRecord*, int*, long>)Export("rd_kafka_message_timestamp");
    public static readonly delegate* unmanaged<NativeRecord*, nint*, int> MessageHeaders = (delegate* unmanaged<NativeRecord*, nint*, int>)Export("rd_kafka_message_headers");
    public static readonly delegate* unmanaged<nint, nint, nint*, nint*, nuint*, int> HeaderGetAll =
        (delegate* unmanaged<nint, nint, nint*, nint*, nuint*, int>)Export("rd_kafka_header_get_all");

    /// <summary>The client behind a producer or consumer; valid until that is disposed of.</summary>
    public static nint ClientOf(Handle handle) => ((SafeHandle)LibrdkafkaHandle(handle)).DangerousGetHandle();

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_LibrdkafkaHandle")]
    [return: UnsafeAccessorType("Confluent.Kafka.Impl.SafeKafkaHandle, Confluent.Kafka")]
    private static extern object LibrdkafkaHandle(Handle handle);

    private static nint Export(string name) => NativeLibrary.GetExport(Library, name);

    // Confluent.Kafka brings one library for each of several systems, and loads the one that fits.
    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = KeptWhole)]
    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = KeptWhole)]
    private static nint Load()
    {
        const BindingFlags inside = BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public;
        var assembly = typeof(Handle).Assembly;
        var loaded = (Delegate)assembly.GetType("Confluent.Kafka.Impl.Librdkafka", throwOnError: true)!.GetField("_version", inside)!.GetValue(null)!;
        var name = (string)loaded.Method.DeclaringType!.GetField("DllName", inside)!.GetRawConstantValue()!;
        return NativeLibrary.Load(name, assembly, null);
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
