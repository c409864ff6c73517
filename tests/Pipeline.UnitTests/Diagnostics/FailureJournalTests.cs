using OrdersStream.Diagnostics;

namespace OrdersStream.UnitTests.Diagnostics;

public sealed class FailureJournalTests
{
    private static FailureVerdict Outage(string problem) => new(FailureAction.Retry, problem, "wait");

    [Fact]
    public void the_same_failure_is_one_note_that_counts()
    {
        var time = new TestTime();
        var journal = new FailureJournal("orders", time);
        var first = time.GetUtcNow();
        journal.Failed("A", Outage("disk"));
        time.Advance(TimeSpan.FromSeconds(3));
        journal.Failed("A", Outage("disk"));
        var note = Assert.Single(journal.Recent);
        Assert.Equal(("A", "disk", "wait", 2, false), (note.Half, note.Problem, note.Remedy, note.Times, note.Over));
        Assert.Equal((first, first.AddSeconds(3)), (note.First, note.Last));
    }

    [Fact]
    public void success_ends_the_outage_of_its_half_and_what_comes_after_is_another()
    {
        var journal = new FailureJournal("orders", new TestTime());
        journal.Failed("A", Outage("disk"));
        journal.Failed("B", Outage("disk"));
        journal.Succeeded("A");
        journal.Failed("A", Outage("disk"));
        Assert.Equal([("A", true), ("B", false), ("A", false)], journal.Recent.Select(n => (n.Half, n.Over)));
    }

    [Fact]
    public void only_the_last_twenty_are_kept()
    {
        var journal = new FailureJournal("orders", new TestTime());
        for (var i = 0; i < 100; i++) journal.Failed("A", Outage($"{i}"));
        Assert.Equal(Enumerable.Range(80, 20).Select(i => $"{i}"), journal.Recent.Select(n => n.Problem));
    }
}
