using OrdersStream.Configuration;

namespace OrdersStream.UnitTests.Configuration;

/// <summary>One configuration file in a folder of its own; faults name it <c>test.yml</c>.</summary>
internal sealed class ConfigurationFile : IDisposable
{
    /// <summary>The original plan's file, word for word.</summary>
    public const string Plan = """
        postgres:
          jdbc_url: "jdbc:postgresql://postgres:5432/food_delivery_db"
          host: postgres
          port: 5432
          db: "food_delivery_db"
          user: "student"
          password: "student123"
          table: <rollnumber>_orders
        kafka:
          brokers: "kafka:29092"
          topic: "<rollnumber>_food_orders_raw"
        datalake:
          path: "/datalake/food/<rollnumber>/output/orders"
          format: "parquet"
        streaming:
          checkpoint_location: "/datalake/food/<rollnumber>/checkpoints/orders"
          last_processed_timestamp_location: "/datalake/food/<rollnumber>/lastprocess/orders"
          batch_interval: 5

        """;

    private readonly TempFolder folder = new();

    public ConfigurationFile(string text) => File.WriteAllText(Path, text);

    public ConfigurationFile(byte[] bytes) => File.WriteAllBytes(Path, bytes);

    public string Path => folder["test.yml"];

    /// <summary>Another file beside it.</summary>
    public string Beside(string name) => folder[name];

    public PipelineOptions Load(string[]? overrides = null, Dictionary<string, string>? environment = null, string? rollnumber = "r1") =>
        ConfigurationLoader.Load(Path, overrides ?? [], environment ?? [], rollnumber);

    /// <summary>The faults as a user sees them; empty when it loads.</summary>
    public string[] Faults(string[]? overrides = null, Dictionary<string, string>? environment = null, string? rollnumber = "r1")
    {
        try
        {
            Load(overrides, environment, rollnumber);
            return [];
        }
        catch (ConfigurationException e)
        {
            return [.. e.Faults.Select(f => f.ToString().Replace(Path, "test.yml", StringComparison.Ordinal))];
        }
    }

    public void Dispose() => folder.Dispose();

    /// <summary>The plan with one piece replaced.</summary>
    public static ConfigurationFile PlanWith(string old, string changed)
    {
        Assert.Contains(old, Plan);
        return new ConfigurationFile(Plan.Replace(old, changed, StringComparison.Ordinal));
    }

    /// <summary>The plan without its lines on jdbc_url, host, port and db, and with these in their place.</summary>
    public static ConfigurationFile PlanWithServer(string lines) => PlanWith("""
          jdbc_url: "jdbc:postgresql://postgres:5432/food_delivery_db"
          host: postgres
          port: 5432
          db: "food_delivery_db"

        """, lines + "\n");

    /// <summary>The folder that holds the solution.</summary>
    public static string Repository
    {
        get
        {
            var at = new DirectoryInfo(AppContext.BaseDirectory);
            while (!File.Exists(System.IO.Path.Combine(at.FullName, "OrdersStream.slnx"))) at = at.Parent!;
            return at.FullName;
        }
    }
}
