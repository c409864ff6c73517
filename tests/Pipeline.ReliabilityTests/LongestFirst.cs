using OrdersStream.ReliabilityTests.Kafka;
using OrdersStream.ReliabilityTests.Memory;
using OrdersStream.ReliabilityTests.Security;
using OrdersStream.ReliabilityTests.Soak;
using OrdersStream.ReliabilityTests.Source;
using Xunit.Sdk;
using Xunit.v3;

namespace OrdersStream.ReliabilityTests;

/// <summary>
/// What takes longest begins first: the run is over when its longest class is, and one that begins last is waited for by nothing else.
/// </summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    private static readonly List<string?> Longest =
    [
        typeof(TokenLoginTests).FullName,
        typeof(ClusterTests).FullName, typeof(ManySeenTransactionsTests).FullName, typeof(LostAfterStoredTests).FullName,
        typeof(PostgresConnectionTests).FullName, typeof(SoakTests).FullName, typeof(CaptureShutdownWithoutServerTests).FullName,
        typeof(KafkaConnectionTests).FullName, typeof(KillInStorageTests).FullName, typeof(StorageShutdownWithoutServerTests).FullName,
        typeof(ExceptionInStorageTests).FullName, typeof(ShutdownInStorageTests).FullName, typeof(EncryptedConnectionTests).FullName,
        typeof(PausedBrokerTests).FullName, typeof(SingleRequestTests).FullName, typeof(TornTransactionTests).FullName,
        typeof(HiddenChangesTests).FullName, typeof(LostBeforeStoredTests).FullName, typeof(MemoryTests).FullName,
    ];

    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [.. testCollections.OrderBy(Rank)];

    private static int Rank<TTestCollection>(TTestCollection collection) where TTestCollection : ITestCollection
    {
        var rank = Longest.FindIndex(name => collection.TestCollectionDisplayName.Contains($"{name} ", StringComparison.Ordinal));
        return rank < 0 ? Longest.Count : rank;
    }
}
