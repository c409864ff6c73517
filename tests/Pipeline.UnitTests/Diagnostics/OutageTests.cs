using System.Net.Sockets;
using Confluent.Kafka;
using Npgsql;
using OrdersStream.Diagnostics;

namespace OrdersStream.UnitTests.Diagnostics;

public sealed class OutageTests
{
    private static readonly Exception Lasting = new PipelineException(FailureAction.Stop, "It is broken.", "Mend it.");

    private readonly TestTime time = new();
    private readonly TestLog log = new();
    private readonly FailureJournal journal;
    private readonly Outage outage;

    public OutageTests()
    {
        journal = new("orders", time);
        outage = new("Half", journal, time, log);
    }

    [Fact]
    public void an_outage_is_logged_once_and_each_failure_noted()
    {
        Assert.Equal([true, false, false], Enumerable.Range(0, 3).Select(_ => outage.Failed(new TimeoutException())));
        time.Advance(TimeSpan.FromSeconds(30));
        outage.Succeeded();
        outage.Succeeded();
        Assert.Equal([9002, 9003], log.Lines.Select(l => l.Id));
        Assert.Equal("Half: works again after 30.0 s, 3 attempts", log.Lines[1].Text);
        var note = Assert.Single(journal.Recent);
        Assert.Equal(("Half", 3, true), (note.Half, note.Times, note.Over));
    }

    [Fact]
    public void what_does_not_pass_by_itself_is_logged_by_whoever_stops()
    {
        Assert.True(outage.Failed(Lasting));
        Assert.False(outage.Failed(Lasting));
        Assert.Empty(log.Lines);
        Assert.Equal((FailureAction.Stop, 2), (outage.Verdict!.Action, journal.Recent.Single().Times));
    }

    [Fact]
    public void an_address_that_one_failure_knows_and_the_next_does_not_is_no_news()
    {
        foreach (var cause in new Exception[] { new SocketException(104), new TimeoutException() })
        {
            Exception[] both = [new NpgsqlException("while it was used", cause), new NpgsqlException("while it was opened", cause)];
            both[1].Data[FailurePolicy.AskedKey] = "db:5432";
            Assert.Equal([true, false], both.Select(outage.Failed));
            Assert.NotEqual(FailurePolicy.Judge(both[0]).Problem, FailurePolicy.Judge(both[1]).Problem);
        }
    }

    [Fact]
    public void each_kind_of_failure_is_logged_once_in_whatever_order_they_come()
    {
        for (var i = 0; i < 3; i++)
        {
            outage.Failed(new TimeoutException());
            outage.Failed(new IOException());
        }
        Assert.Equal(2, log.Lines.Count);
        Assert.Equal([3, 3], journal.Recent.Select(n => n.Times));

        outage.Succeeded();
        Assert.True(outage.Failed(new TimeoutException()));
        Assert.Equal([9002, 9002, 9003, 9002], log.Lines.Select(l => l.Id));
    }

    [Fact]
    public void what_a_server_says_differently_each_time_is_the_same_failure()
    {
        for (var i = 0; i < 3; i++)
        {
            outage.Failed(new KafkaException(new Error(ErrorCode.Local_Transport, $"127.0.0.1:9092/1: connect failed after {i} ms")));
            outage.Failed(new PostgresException($"too many connections: {i}", "FATAL", "FATAL", "53300"));
        }
        Assert.Equal(2, log.Lines.Count);
        Assert.Equal([3, 3], journal.Recent.Select(n => n.Times));
        Assert.Contains("after 2 ms", journal.Recent[0].Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void so_it_is_where_a_half_passes_a_servers_failure_on_in_its_own_words()
    {
        foreach (var stage in new[] { "starting up", "not yet accepting connections", "in recovery mode" })
        {
            var refusal = new PostgresException(
                $"the database system is {stage}", "FATAL", "FATAL", "57P03", file: "postmaster.c", routine: "ProcessStartupPacket");
            outage.Failed(FailurePolicy.OfStatement(refusal, isConnected: true, "db:5432")!);
        }
        Assert.Contains("starting up", Assert.Single(log.Lines).Text, StringComparison.Ordinal);
        Assert.Equal(3, Assert.Single(journal.Recent).Times);
    }
}
