using Microsoft.Extensions.Logging;
using OrdersStream.Diagnostics;
using OrdersStream.LocalHost.Terminal;

namespace OrdersStream.IntegrationTests.LocalHost;

public sealed class LineLoggerTests
{
    private readonly List<string> lines = [];

    private LineLogger NewLogger(LogLevel least, bool colours = false) => new(least, TimeProvider.System, lines.Add, colours);

    [Fact]
    public void an_event_is_one_line_of_time_level_and_message()
    {
        NewLogger(LogLevel.Information).Stopping("first\nsecond");
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO  stopping: first \| second$", Assert.Single(lines));
    }

    /// <summary>The disk behind the log is full: that ends nothing else.</summary>
    [Fact]
    public void a_line_that_cannot_be_written_ends_nothing()
    {
        var logger = new LineLogger(
            LogLevel.Information, TimeProvider.System, _ => throw new IOException("No space left on device", 28), colours: false);
        logger.Stopping("x");
    }

    [Fact]
    public void what_is_less_severe_is_left_out()
    {
        NewLogger(LogLevel.Warning).Stopping("x");
        NewLogger(LogLevel.None).HalfStopped("x", "y", "z", new IOException());
        Assert.Empty(lines);
    }

    [Fact]
    public void a_failures_own_words_show_at_debug_level_only()
    {
        var failure = new IOException("inner words");
        NewLogger(LogLevel.Information).HalfStopped("Half", "Problem.", "Remedy.", failure);
        NewLogger(LogLevel.Debug).HalfStopped("Half", "Problem.", "Remedy.", failure);
        Assert.EndsWith("ERROR Half stopped: Problem. Remedy.", lines[0]);
        Assert.Contains("inner words", lines[1]);
    }

    [Fact]
    public void of_a_defect_the_stack_trace_shows_at_every_level_and_its_words_do_not()
    {
        static void Fails() => throw new InvalidOperationException("outer secret", new FormatException("inner secret"));
        var defect = Assert.Throws<InvalidOperationException>(Fails);

        NewLogger(LogLevel.Error).HalfStopped("Half", "Problem.", "Remedy.", defect);

        var shown = Assert.Single(lines).Split(Environment.NewLine);
        Assert.EndsWith("ERROR Half stopped: Problem. Remedy.", shown[0]);
        Assert.Equal("System.InvalidOperationException", shown[1]);
        Assert.Contains(nameof(Fails), shown[2]);
        Assert.Contains("System.FormatException", shown);
        Assert.DoesNotContain("secret", lines[0]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void colours_are_for_terminals(bool colours)
    {
        NewLogger(LogLevel.Information, colours).HalfStopped("Half", "Problem.", "Remedy.", new IOException());
        Assert.Equal(colours, lines[0].Contains('\e'));
    }
}
