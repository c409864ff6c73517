using OrdersStream.IntegrationTests.Servers;
using OrdersStream.StatusPage.Tests;

[assembly: AssemblyFixture(typeof(PostgresServer))]
[assembly: AssemblyFixture(typeof(KafkaServer))]
[assembly: AssemblyFixture(typeof(Browser))]
