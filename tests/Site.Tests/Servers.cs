using OrdersStream.Site.Tests;
using OrdersStream.TestKit.Servers;

[assembly: AssemblyFixture(typeof(PostgresServer))]
[assembly: AssemblyFixture(typeof(KafkaServer))]
[assembly: AssemblyFixture(typeof(Browser))]
