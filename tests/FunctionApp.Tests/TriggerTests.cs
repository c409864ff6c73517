using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using Microsoft.Azure.Functions.Worker;
using OrdersStream.Capture;
using OrdersStream.Hosting.Functions;
using OrdersStream.Store;

namespace OrdersStream.FunctionApp.Tests;

/// <summary>
/// What the platform reads off the functions: each value here was lost data, or an app that does not start, with another.
/// </summary>
public sealed partial class TriggerTests
{
    private static readonly MethodInfo Capturing = typeof(PostgresToKafkaFunction).GetMethod(nameof(PostgresToKafkaFunction.RunAsync))!;
    private static readonly MethodInfo Storing = typeof(KafkaToLakeFunction).GetMethod(nameof(KafkaToLakeFunction.RunAsync))!;
    private static readonly MethodInfo Showing = typeof(StatusFunction).GetMethod(nameof(StatusFunction.RunAsync))!;

    private static KafkaTriggerAttribute Kafka => Storing.GetParameters()[0].GetCustomAttribute<KafkaTriggerAttribute>()!;
    private static TimerTriggerAttribute Timer => Capturing.GetParameters()[0].GetCustomAttribute<TimerTriggerAttribute>()!;

    /// <summary>Every name that a trigger takes from the environment.</summary>
    internal static IEnumerable<string> NamesTaken() =>
        new[] { Kafka.BrokerList, Kafka.Topic, Kafka.ConsumerGroup, Kafka.Username, Kafka.Password, Timer.Schedule }
            .SelectMany(value => PercentName().Matches(value ?? "")).Select(match => match.Groups[1].Value);

    [Fact]
    public void the_halves_have_the_names_they_have_everywhere()
    {
        Assert.Equal(nameof(PostgresToKafka), Capturing.GetCustomAttribute<FunctionAttribute>()!.Name);
        Assert.Equal(nameof(KafkaToLake), Storing.GetCustomAttribute<FunctionAttribute>()!.Name);
    }

    [Fact]
    public void batches_are_bound_in_the_one_way_that_works()
    {
        Assert.True(Kafka.IsBatched);
        Assert.Equal(typeof(KafkaRecord[]), Storing.GetParameters()[0].ParameterType);
        Assert.Equal(KafkaMessageKeyType.Binary, Kafka.KeyDataType);
    }

    [Fact]
    public void a_batch_that_failed_is_tried_again_without_end_and_with_pauses()
    {
        var retry = Storing.GetCustomAttribute<ExponentialBackoffRetryAttribute>()!;
        Assert.Equal(-1, retry.MaxRetryCount);
        var (least, most) = (
            TimeSpan.Parse(retry.MinimumInterval, CultureInfo.InvariantCulture),
            TimeSpan.Parse(retry.MaximumInterval, CultureInfo.InvariantCulture));
        Assert.InRange(least, TimeSpan.FromSeconds(1), most);
        Assert.InRange(most, least, TimeSpan.FromMinutes(1));
    }

    [Fact]
    public void the_timer_needs_no_storage_account()
    {
        Assert.False(Timer.UseMonitor);
        Assert.False(Timer.RunOnStartup);
        Assert.Null(Capturing.GetCustomAttribute<ExponentialBackoffRetryAttribute>());
    }

    [Fact]
    public void the_page_has_every_path_and_only_reads()
    {
        var http = Showing.GetParameters()[0].GetCustomAttribute<HttpTriggerAttribute>()!;
        Assert.Equal((AuthorizationLevel.Anonymous, "{*path}"), (http.AuthLevel, http.Route));
        Assert.Equal(["get", "head"], http.Methods!);
    }

    [Fact]
    public void every_function_hears_that_the_host_stops() =>
        Assert.All(
            [Capturing, Storing, Showing], method => Assert.Equal(typeof(CancellationToken), method.GetParameters()[^1].ParameterType));

    [Fact]
    public void whatever_a_trigger_takes_from_the_environment_is_taken_whole() =>
        Assert.All(
            new[] { Kafka.BrokerList, Kafka.Topic, Kafka.ConsumerGroup, Timer.Schedule }, value => Assert.Matches("^%[A-Z_]+%$", value));

    [Fact]
    public void the_start_up_check_compares_what_the_trigger_was_built_with()
    {
        // Unset is what the platform takes for plain text.
        var protocol = Kafka.Protocol == BrokerProtocol.NotSet ? BrokerProtocol.Plaintext : Kafka.Protocol;
        Assert.Equal(KafkaTriggerBuild.Of(protocol.ToString(), Kafka.AuthenticationMode.ToString()), KafkaSecurity.Build);
        Assert.Equal(KafkaSecurity.Build.SaslMechanism is null, Kafka.Password is null && Kafka.Username is null);
    }

    [Theory]
    [InlineData("NotSet", "NotSet", "plaintext", null)]
    [InlineData("Plaintext", "NotSet", "plaintext", null)]
    [InlineData("Ssl", "NotSet", "ssl", null)]
    [InlineData("SaslPlaintext", "ScramSha256", "sasl_plaintext", "SCRAM-SHA-256")]
    [InlineData("SaslSsl", "ScramSha512", "sasl_ssl", "SCRAM-SHA-512")]
    [InlineData("SaslSsl", "Plain", "sasl_ssl", "PLAIN")]
    public void the_platforms_words_are_told_in_those_of_the_configuration(
        string protocol, string mechanism, string configured, string? sasl) =>
        Assert.Equal(new KafkaTriggerBuild(configured, sasl), KafkaTriggerBuild.Of(protocol, mechanism));

    [GeneratedRegex("%([^%]*)%")]
    private static partial Regex PercentName();
}
