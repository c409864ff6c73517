using System.Text;
using System.Text.RegularExpressions;
using OrdersStream.Configuration;
using OrdersStream.UnitTests.Configuration;

namespace OrdersStream.UnitTests.Fuzzing;

/// <summary>A configuration file loads, or is refused with all its faults, each with the place where it stands: no other failure.</summary>
public sealed partial class ConfigurationFuzzTests : IDisposable
{
    private const string Target = "configuration";

    private readonly TempFolder folder = new();

    public static TheoryData<string> Corpus => [.. Fuzzer.Corpus(Target).Select(f => Path.GetFileName(f))];

    public void Dispose() => folder.Dispose();

    [Theory, MemberData(nameof(Corpus))]
    public void each_kept_file_loads_or_says_where_its_faults_are(string name) =>
        Check(File.ReadAllBytes(Fuzzer.Corpus(Target).Single(f => Path.GetFileName(f) == name)));

    [Fact]
    public Task a_file_loads_or_says_where_its_faults_are() => new Fuzzer(Target, Check)
    {
        Seeds =
        [
            Encoding.UTF8.GetBytes(ConfigurationFile.Plan),
            File.ReadAllBytes(Path.Combine(ConfigurationFile.Repository, "configs", "orders_stream.yml")),
        ],
        Words =
        [
            "${", "${NAME}", "${NAME:-", "${:-}", "<rollnumber>", "<<: *a", "&a ", "*a", "!!str ", "? ", "- ", "|", ">", "---\n", "...\n",
            "%YAML 1.2\n", "\n  ", "\n\t", "jdbc:postgresql://", "?ssl=true&", "@", "jdbc_url: ",
            "postgres:\n", "kafka:\n", "  port: ", "  key_columns: [a, b]", "\"\\x00\"", "\"\\u2028\"", "'", "# x",
        ],
    }.RunAsync();

    private string Check(byte[] input)
    {
        var path = folder["test.yml"];
        File.WriteAllBytes(path, input);
        try
        {
            var options = ConfigurationLoader.Load(path, [], new Dictionary<string, string> { ["NAME"] = "value" }, "r1");
            Assert.NotEmpty(ConfigurationLoader.Print(options));
            return "loads";
        }
        catch (ConfigurationException e)
        {
            Assert.NotEmpty(e.Faults);
            var lines = input.Count(b => b is (byte)'\n' or (byte)'\r') + input.Length + 2;
            foreach (var fault in e.Faults)
            {
                Assert.StartsWith(path, fault.Where, StringComparison.Ordinal);
                var place = Place().Match(fault.Where[path.Length..]);
                Assert.True(place.Success && (place.Groups[1].Value is "" || int.Parse(place.Groups[1].Value) <= lines), fault.ToString());
                Assert.NotEmpty(fault.Message);
            }
            return Digits().Replace(e.Faults[0].Message, "0") is { Length: > 60 } message ? message[..60] : e.Faults[0].Message;
        }
    }

    [GeneratedRegex(@"\A(?::([1-9][0-9]*):[1-9][0-9]*)?\z")]
    private static partial Regex Place();

    [GeneratedRegex("[0-9]+")]
    private static partial Regex Digits();
}
