using OrdersStream.Configuration;

namespace OrdersStream.UnitTests.Configuration;

public class SettingsReferenceTests
{
    private static readonly SettingInfo[] All = [.. SettingsReference.Sections.SelectMany(s => s.Settings)];

    /// <summary>Set by the program for its embedded broker, not by a user.</summary>
    private const string NotAKey = nameof(KafkaOptions.BrokerTellsTopicIds);

    [Fact]
    public void every_property_of_every_section_is_a_documented_key()
    {
        foreach (var section in SettingsReference.Sections)
        {
            var settable = section.Property.PropertyType.GetProperties().Where(p => p.CanWrite && p.Name != NotAKey).Select(p => p.Name);
            Assert.Equal(settable, section.Settings.Select(s => s.Property.Name));
        }
    }

    [Fact]
    public void every_number_has_a_range_that_holds_its_default_and_all_but_ports_a_unit()
    {
        foreach (var setting in All.Where(s => s.Kind == SettingKind.Number))
        {
            Assert.True(setting.Min > long.MinValue && setting.Max < long.MaxValue, setting.Name);
            Assert.True(setting.Unit is not null || setting.Key == "port", setting.Name);
            if (setting.Default is not null) Assert.InRange(Convert.ToInt64(setting.Default, null), setting.Min, setting.Max);
        }
    }

    [Fact]
    public void a_range_fits_its_propertys_type()
    {
        foreach (var setting in All.Where(s => s.Property.PropertyType == typeof(int) || s.Property.PropertyType == typeof(int?)))
            Assert.True(setting.Min >= int.MinValue && setting.Max <= int.MaxValue, setting.Name);
    }

    [Fact]
    public void a_word_among_few_has_one_of_them_as_default()
    {
        foreach (var setting in All.Where(s => s.OneOf.Count > 0 && s.Default is not null))
            Assert.Contains(setting.DefaultText, setting.OneOf);
    }

    [Fact]
    public void keys_differ_when_case_and_underscores_do_not_count()
    {
        foreach (var section in SettingsReference.Sections)
            Assert.Equal(section.Settings.Length, section.Settings.Select(s => SettingsReference.Fold(s.Key)).Distinct().Count());
    }

    [Fact]
    public void every_key_can_be_set_by_variable_and_by_option()
    {
        foreach (var setting in All)
        {
            using var file = new ConfigurationFile(ConfigurationFile.Plan);
            var value = setting.Kind == SettingKind.Number ? "x" : "bad\u0001";
            Assert.Contains(file.Faults([$"{setting.Name}={value}"]),
                f => f.StartsWith($"--set {setting.Name}: ", StringComparison.Ordinal));
            var variable = $"{setting.Section}__{setting.Property.Name}";
            Assert.Contains(file.Faults(environment: new() { [variable] = value }),
                f => f.StartsWith($"{variable}: ", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void the_reference_names_every_key_with_its_default()
    {
        var text = SettingsText.Describe();
        foreach (var setting in All)
            Assert.Contains($"  # {setting.Key}: {(setting.Kind == SettingKind.Number ? setting.DefaultText : "")}", text);
    }
}
