using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using FuncScaler.SlotBackends.Settings;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace FuncScaler.ScalerFunctions.Hosting;

/// <summary>
/// Reads the app's settings as every other settings are read: the host's own binder takes "3" for three days, and skips names that it does
/// not know.
/// </summary>
internal sealed class AppSettings(IConfiguration configuration) : IConfigureOptions<ScalerAppOptions>
{
    /// <exception cref="OptionsValidationException">A setting has no such name, or cannot be read; all of them are told.</exception>
    public void Configure(ScalerAppOptions options)
    {
        var section = configuration.GetSection(ScalerAppOptions.Section);
        try
        {
            var json = ObjectOf(section, SettingsJson.TypeOf(typeof(ScalerAppOptions)));
            var read = SettingsJson.Read<ScalerAppOptions>(json.ToJsonString(), SettingsForm.Sections, ScalerAppOptions.Section);
            foreach (var property in typeof(ScalerAppOptions).GetProperties().Where(p => json.Any(n => string.Equals(n.Key, p.Name, StringComparison.OrdinalIgnoreCase))))
            {
                property.SetValue(options, property.GetValue(read));
            }
        }
        catch (BackendSettingsException e)
        {
            throw new OptionsValidationException(Options.DefaultName, typeof(ScalerAppOptions), e.Errors);
        }
    }

    private static JsonObject ObjectOf(IConfigurationSection section, JsonTypeInfo type)
    {
        var json = new JsonObject();
        foreach (var child in section.GetChildren())
        {
            var known = type.Properties.FirstOrDefault(p => string.Equals(p.Name, child.Key, StringComparison.OrdinalIgnoreCase));
            if (child.GetChildren().Any())
            {
                json[child.Key] = ObjectOf(child, known is null ? type : SettingsJson.TypeOf(known.PropertyType));
            }
            else if (child.Value is { } text && ValueOf(text, known?.PropertyType) is { } value)
            {
                json[child.Key] = value;
            }
        }

        return json;
    }

    /// <summary>Everything is text here: what is meant as a number or a switch is written as one. Nothing but spaces is as good as not set.</summary>
    private static JsonValue? ValueOf(string text, Type? type)
    {
        var kind = type is null ? typeof(string) : Nullable.GetUnderlyingType(type) ?? type;
        return kind == typeof(string) ? JsonValue.Create(text)
            : string.IsNullOrWhiteSpace(text) ? null
            : kind == typeof(bool) && bool.TryParse(text, out var flag) ? JsonValue.Create(flag)
            : kind == typeof(int) && int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) ? JsonValue.Create(whole)
            : kind == typeof(double) && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) ? JsonValue.Create(number)
            : JsonValue.Create(text);
    }
}
