using OrdersStream.Configuration;

namespace OrdersStream.UnitTests.Configuration;

public class PrintTests
{
    [Fact]
    public void what_is_printed_loads_again_to_the_same_but_for_secrets()
    {
        using var file = ConfigurationFile.PlanWith("\"student123\"",
            "\"student123\"\n  key_columns: [\"a\\\"b\", 'c,d\\']\n  slack_seconds: 3\n  schema: \"s$${x} ü\"");
        var printed = ConfigurationLoader.Print(file.Load(["datalake.batch_rows=10", "postgres.host=localhost"]));
        using var again = new ConfigurationFile(printed);
        var reloaded = again.Load();
        Assert.Equal(["a\"b", "c,d\\"], reloaded.Postgres.KeyColumns);
        Assert.Equal("s${x} ü", reloaded.Postgres.Schema);
        Assert.Equal(printed, ConfigurationLoader.Print(reloaded));
    }

    [Fact]
    public void every_key_is_printed_in_its_section()
    {
        using var file = new ConfigurationFile(ConfigurationFile.Plan);
        var lines = ConfigurationLoader.Print(file.Load()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var expected = SettingsReference.Sections.SelectMany(s => s.Settings.Select(k => $"  {k.Key}").Prepend(s.Name));
        Assert.Equal(expected, lines.Select(l => l[..l.IndexOf(':', StringComparison.Ordinal)]));
    }

    [Fact]
    public void options_that_a_program_built_are_printed_without_the_urls_parameters()
    {
        var options = new PipelineOptions { Postgres = new() { JdbcUrl = "jdbc:postgresql://h/d?password=hunter2" } };
        var printed = ConfigurationLoader.Print(options);
        Assert.Contains("jdbc_url: \"jdbc:postgresql://h/d\"", printed);
        Assert.DoesNotContain("hunter2", printed);
    }
}
