using OrdersStream.ReliabilityTests;
using OrdersStream.TestKit.Servers;

[assembly: AssemblyFixture(typeof(PostgresServer))]
[assembly: AssemblyFixture(typeof(KafkaServer))]
[assembly: TestCollectionOrderer(typeof(LongestFirst))]
