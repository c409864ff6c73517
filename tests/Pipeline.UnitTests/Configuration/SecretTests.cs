using System.Globalization;
using System.Text;
using CsCheck;
using OrdersStream.Configuration;

namespace OrdersStream.UnitTests.Configuration;

public class SecretTests
{
    private const string Marked = "Zq7xWv9k";

    /// <summary>Ways to get a secret, or the place for one, wrong.</summary>
    public static TheoryData<string> Mistakes() =>
    [
        $"password: {Marked}\n  port: abc",
        $"password: [{Marked}]",
        $"password: {{{Marked}: {Marked}}}",
        $"password: *{Marked}",
        $"password: &{Marked} x",
        $"password: !{Marked} x",
        $"password: %{Marked}",
        $"password: @{Marked}",
        $"password: \"{Marked}",
        $"password: {Marked}: {Marked}",
        $"password:{Marked}",
        $"password: \"{Marked}\\u0001\"",
        $"password: \"{Marked}\\n\"",
        $"password: \"{Marked}${{\"",
        $"password: \"${{{Marked}\"",
        $"password: \"x${{{Marked}}}y\"",
        $"password: \"<rolnumber>{Marked}\"",
        $"pasword: {Marked}",
        $"port: x\nkafka: {{topic: x password: \"{Marked}\"}}",
        $"user: {Marked}\n  pasword: {Marked}",
        $"password: {Marked}\n  password: {Marked}2",
        $"host: u:{Marked}@h",
        $"host: postgres://u:{Marked}@h/d",
        $"schema: \"jdbc:postgresql://h/d?user=u&password={Marked}@\"",
        $"jdbc_url: \"jdbc:postgresql://h/d?password={Marked}&password={Marked}\"",
        $"jdbc_url: \"jdbc:postgresql://h/d?password={Marked}&{Marked}=1\"",
        $"jdbc_url: \"jdbc:postgresql://h/d?password={Marked}%zz\"",
        $"jdbc_url: \"jdbc:postgresql://h/d?password={Marked}\\u0001\"",
        $"jdbc_url: \"jdbc:postgresql://h/d?password=a${{{Marked}}}\"",
        $"jdbc_url: \"jdbc:postgresql://h/d?sslpassword={Marked}&{Marked}=2\"",
        $"jdbc_url: \"jdbc:postgresql://u:{Marked}@h:1/d\"",
        $"jdbc_url: \"jdbc:postgresql://h:{Marked}/d\"",
        $"jdbc_url: \"jdbc:postgresql://h/d;password={Marked}\"",
        $"jdbc_url: \"postgres://u:{Marked}@h/d\"",
        $"jdbc_url: \"{Marked}\"",
    ];

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void a_secret_appears_in_no_fault(string lines)
    {
        // user: is a key that shows its value; there the secret is not one.
        using var file = new ConfigurationFile(ConfigurationFile.Plan
            .Replace("  password: \"student123\"\n", $"  {lines}\n", StringComparison.Ordinal)
            .Replace("  jdbc_url: \"jdbc:postgresql://postgres:5432/food_delivery_db\"\n", "", StringComparison.Ordinal));
        var faults = file.Faults(["postgres.port=x"]);
        Assert.NotEmpty(faults);
        Assert.DoesNotContain(faults, f => f.Contains(Marked, StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public void a_secret_appears_in_no_fault_of_the_environment_or_the_command_line()
    {
        using var file = new ConfigurationFile(ConfigurationFile.Plan);
        var faults = file.Faults(
            [$"postgres.password:{Marked}", $"postgres.passwort={Marked}", $"kafka.sasl_password={Marked}",
                $"postgres.password={Marked}\u0001"],
            new()
            {
                ["Postgres__Pasword"] = Marked, ["Kafka__SslKeyPassword"] = Marked,
                ["POSTGRES__PASSWORD"] = Marked, ["Postgres__Password"] = Marked + "2",
            });
        Assert.Equal(7, faults.Length);
        Assert.DoesNotContain(faults, f => f.Contains(Marked, StringComparison.Ordinal));
    }

    [Fact]
    public void the_exception_itself_shows_no_secret()
    {
        using var file = ConfigurationFile.PlanWith("student123", Marked + "\\n");
        var exception = Assert.Throws<ConfigurationException>(() => file.Load());
        Assert.DoesNotContain(Marked, exception.ToString());
    }

    [Fact]
    public void printing_and_tostring_mask_every_secret()
    {
        using var file = ConfigurationFile.PlanWith("kafka:29092\"",
            $"kafka:29092\"\n  security_protocol: sasl_ssl\n  sasl_mechanism: plain\n  sasl_username: u\n  sasl_password: {Marked}");
        File.WriteAllText(file.Beside("key.pem"), "");
        var options = file.Load([$"postgres.password={Marked}", $"postgres.jdbc_url=jdbc:postgresql://h/d?password={Marked}",
            $"kafka.ssl_certificate_location={file.Beside("key.pem")}", $"kafka.ssl_key_location={file.Beside("key.pem")}",
            $"kafka.ssl_key_password={Marked}"]);
        Assert.Equal(Marked, options.Postgres.Password);
        Assert.Equal(Marked, options.Kafka.SslKeyPassword);
        var printed = ConfigurationLoader.Print(options);
        Assert.Equal(3, printed.Split("\"********\"").Length - 1);
        foreach (var text in new[] { printed, options.ToString(), options.Postgres.ToString(), options.Kafka.ToString() })
            Assert.DoesNotContain(Marked, text);
    }

    [Fact]
    public void a_value_that_the_parser_takes_for_a_key_is_not_shown()
    {
        // A key that lost its name: the parser then sees keys where the values of the next lines stand.
        using var file = ConfigurationFile.PlanWith("  jdbc_url: ", "  : ");
        Assert.Contains("test.yml:7:13: a key must begin its line, and be followed by a colon and a space", file.Faults());
        Assert.DoesNotContain(file.Faults(), f => f.Contains("student123", StringComparison.Ordinal));
    }

    [Fact]
    public void a_secrets_value_is_masked_whatever_is_wrong_with_it()
    {
        Assert.Equal("********", ShownValue.Of(SettingsReference.Get("postgres.password"), Marked));
        Assert.Equal($"'{Marked}'", ShownValue.Of(SettingsReference.Get("postgres.user"), Marked));
    }

    [Fact]
    public void every_key_that_is_named_for_a_secret_is_one()
    {
        foreach (var setting in SettingsReference.Sections.SelectMany(s => s.Settings))
            Assert.Equal(
                // A file's name is none.
                (setting.Key.Contains("password", StringComparison.Ordinal) && !setting.Key.EndsWith("_file", StringComparison.Ordinal))
                || setting.Key == "mask_key", setting.Secret);
    }

    [Fact]
    public void random_damage_to_the_file_leaks_no_secret_and_ends_in_configuration_faults_only()
    {
        var text = ConfigurationFile.Plan.Replace("student123", Marked, StringComparison.Ordinal)
            + "# x\n" + string.Concat(SettingsReference.Sections[1].Settings.Skip(2).Select(s => "# " + s.Key + ": 1\n"));
        var pieces = new[] { "\n", " ", "  ", ":", ": ", "-", "- ", "[", "]", "{", "}", "\"", "'", "#", "&a ", "*a", "!t ", "|", ">", "%",
            "@", "${", "${A}", "<rollnumber>", "\t", "\u0000", "\uFEFF", "?", ",", "~", "---\n", "...", "<<: ", "9", "\u2028",
            "\ud83d\ude00" };
        var edit = Gen.Select(Gen.Int[0, text.Length], Gen.Int[0, 12], Gen.Int[0, pieces.Length - 1].Select(i => pieces[i]));
        Gen.Select(edit.Array[1, 3], Gen.Bool).Sample((edits, setsRollNumber) =>
        {
            var damaged = edits.Aggregate(text, (t, e) => Damage(t, e.Item1, e.Item2, e.Item3));
            using var file = new ConfigurationFile(Encoding.UTF8.GetBytes(damaged));
            var faults = file.Faults(rollnumber: setsRollNumber ? "r1" : null); // any other exception fails the test
            // Damage may cut the line so that the secret becomes a key or another key's value; then it is none.
            if (damaged.Contains($"\n  password: \"{Marked}\"\n", StringComparison.Ordinal))
                Assert.DoesNotContain(faults, f => f.Contains(Marked, StringComparison.Ordinal));
        }, iter: 1_000, threads: 1, print: t => string.Create(CultureInfo.InvariantCulture,
            $"{string.Join(" | ", t.Item1.Select(e => $"{e.Item1}-{e.Item2} {e.Item3}"))}"));
    }

    private static string Damage(string text, int at, int cut, string piece)
    {
        at = Math.Min(at, text.Length);
        return text[..at] + piece + text[Math.Min(text.Length, at + cut)..];
    }
}
