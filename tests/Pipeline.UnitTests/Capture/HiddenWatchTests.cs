using OrdersStream.Capture;
using OrdersStream.Postgres;

namespace OrdersStream.UnitTests.Capture;

public sealed class HiddenWatchTests
{
    private readonly TestLog lines = new();
    private readonly HiddenWatch watch;

    public HiddenWatchTests() => watch = new HiddenWatch(new TestTime(), lines);

    [Fact]
    public void a_session_that_two_looks_have_met_is_told_once_and_so_is_its_end()
    {
        watch.Looked(Hidden(7));
        Assert.Empty(Ids);
        for (var look = 0; look < 3; look++) watch.Looked(Hidden(7));
        Assert.Equal([1009], Ids);
        Assert.Contains("session 7 (psql)", lines.Lines[0].Text);
        watch.Looked(null);
        watch.Looked(null);
        Assert.Equal([1009, 1010], Ids);
    }

    [Fact]
    public void sessions_that_come_and_go_are_not_told()
    {
        for (var pid = 1; pid < 5; pid++) watch.Looked(Hidden(pid));
        Assert.Empty(Ids);
    }

    [Fact]
    public void that_none_is_hidden_is_not_told_while_another_one_is()
    {
        foreach (var pid in new[] { 7, 7, 3, 3 }) watch.Looked(Hidden(pid));
        Assert.Equal([1009, 1009], Ids);
        watch.Looked(null);
        Assert.Equal([1009, 1009, 1010], Ids);
    }

    private IEnumerable<int> Ids => lines.Lines.Select(l => l.Id);

    private static OldestOpen Hidden(int pid) => new("hidden", default, 90, pid, "psql");
}
