using System.Text.RegularExpressions;
using OrdersStream.Configuration;

namespace OrdersStream.UnitTests.Configuration;

public partial class ShippedConfigurationTests
{
    private static readonly string Shipped = File.ReadAllText(Path.Combine(ConfigurationFile.Repository, "configs", "orders_stream.yml"));

    public static TheoryData<string> EveryKey() => [.. SettingsReference.Sections.SelectMany(s => s.Settings).Select(s => s.Name)];

    [Fact]
    public void the_plans_file_loads_unchanged()
    {
        using var file = new ConfigurationFile(ConfigurationFile.Plan);
        var options = file.Load(rollnumber: "2024-CS_07");
        Assert.Equal("postgres", options.Postgres.Host);
        Assert.Equal(5432, options.Postgres.Port);
        Assert.Equal("food_delivery_db", options.Postgres.Db);
        Assert.Equal("student", options.Postgres.User);
        Assert.Equal("student123", options.Postgres.Password);
        Assert.Equal("2024-CS_07_orders", options.Postgres.Table);
        Assert.Equal("kafka:29092", options.Kafka.Brokers);
        Assert.Equal("2024-CS_07_food_orders_raw", options.Kafka.Topic);
        Assert.Equal("/datalake/food/2024-CS_07/output/orders", options.Datalake.Path);
        Assert.Equal("parquet", options.Datalake.Format);
        Assert.Equal("/datalake/food/2024-CS_07/checkpoints/orders", options.Streaming.CheckpointLocation);
        Assert.Equal("/datalake/food/2024-CS_07/lastprocess/orders", options.Streaming.LastProcessedTimestampLocation);
        Assert.Equal(5, options.Streaming.BatchInterval);
    }

    [Fact]
    public void every_shipped_configuration_loads()
    {
        var files = Directory.GetFiles(Path.Combine(ConfigurationFile.Repository, "configs"), "*.y*ml");
        Assert.NotEmpty(files);
        foreach (var file in files) ConfigurationLoader.Load(file, [], new Dictionary<string, string>(), "r1");
    }

    [Fact]
    public void the_shipped_configuration_is_the_plans()
    {
        using var shipped = new ConfigurationFile(Shipped);
        using var plan = new ConfigurationFile(ConfigurationFile.Plan);
        Assert.Equal(plan.Load(), shipped.Load(), OptionsComparer.Instance);
    }

    [Fact]
    public void the_shipped_password_may_come_from_the_environment()
    {
        using var shipped = new ConfigurationFile(Shipped);
        Assert.Equal("p@ss", shipped.Load(environment: new() { ["POSTGRES_PASSWORD"] = "p@ss" }).Postgres.Password);
    }

    [Fact]
    public void a_developers_machine_reaches_the_containers_by_three_variables()
    {
        using var shipped = new ConfigurationFile(Shipped);
        var options = shipped.Load(environment: new()
        {
            ["POSTGRES_HOST"] = "localhost", ["KAFKA_BROKERS"] = "localhost:9092", ["DATALAKE"] = "datalake",
        });
        Assert.Equal(("localhost", "jdbc:postgresql://localhost:5432/food_delivery_db", "localhost:9092"),
            (options.Postgres.Host, options.Postgres.JdbcUrl, options.Kafka.Brokers));
        Assert.Equal(("datalake/food/r1/output/orders", "datalake/food/r1/checkpoints/orders", "datalake/food/r1/lastprocess/orders"),
            (options.Datalake.Path, options.Streaming.CheckpointLocation, options.Streaming.LastProcessedTimestampLocation));
    }

    [Fact]
    public void a_developers_machine_needs_only_overrides()
    {
        using var shipped = new ConfigurationFile(Shipped);
        var options = shipped.Load(environment: new()
        {
            ["Postgres__Host"] = "localhost", ["Postgres__Port"] = "5433", ["Kafka__Brokers"] = "localhost:9092",
        });
        Assert.Equal(("localhost", 5433, "localhost:9092"), (options.Postgres.Host, options.Postgres.Port, options.Kafka.Brokers));
    }

    [Theory]
    [MemberData(nameof(EveryKey))]
    public void the_shipped_file_shows_every_key_with_what_the_code_says_of_it(string name)
    {
        var setting = SettingsReference.Get(name);
        var comment = string.Concat(SettingsText.CommentOf(setting).Select(line => $"  {line}\n"));
        var section = SectionText(setting.Section);
        var at = section.IndexOf($"{comment}  # {setting.Key}: ", StringComparison.Ordinal);
        if (at >= 0) Assert.Contains($"{comment}  {SettingsText.LineOf(setting)}\n", section);
        else Assert.Contains($"{comment}  {setting.Key}: ", section);
    }

    [Fact]
    public void what_is_commented_out_can_be_uncommented_and_changes_nothing()
    {
        using var shipped = new ConfigurationFile(Shipped);
        var uncommented = CommentedKey().Replace(Shipped, "  $1: ");
        Assert.Equal(SettingsReference.Sections.Sum(s => s.Settings.Length), KeyLine().Count(uncommented));
        using var file = new ConfigurationFile(uncommented);
        Assert.Equal(shipped.Load(), file.Load(), OptionsComparer.Instance);
    }

    private static string SectionText(string section)
    {
        var start = Shipped.IndexOf($"\n{section}:\n", StringComparison.Ordinal);
        Assert.True(start >= 0, $"no section {section}");
        var end = Shipped.IndexOf("\n\n# ", start, StringComparison.Ordinal);
        return end < 0 ? Shipped[start..] : Shipped[start..(end + 1)];
    }

    [GeneratedRegex("(?m)^  # ([a-z_]+): (?=[0-9\"\\[{])")]
    private static partial Regex CommentedKey();

    [GeneratedRegex("(?m)^  [a-z_]+: ")]
    private static partial Regex KeyLine();
}

/// <summary>By what they print, the password apart: records compare lists by reference.</summary>
internal sealed class OptionsComparer : IEqualityComparer<PipelineOptions>
{
    public static readonly OptionsComparer Instance = new();

    public bool Equals(PipelineOptions? a, PipelineOptions? b) =>
        ConfigurationLoader.Print(a!) == ConfigurationLoader.Print(b!)
            && a!.Postgres.Password == b!.Postgres.Password
            && a.Kafka.SaslPassword == b.Kafka.SaslPassword;

    public int GetHashCode(PipelineOptions options) => 0;
}
