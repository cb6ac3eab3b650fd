using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace FuncScaler.SlotBackends.Settings;

/// <summary>How settings are written.</summary>
public enum SettingsForm
{
    /// <summary>A JSON file: <c>start.pollDelay</c>.</summary>
    File,

    /// <summary>Sections of a host's configuration, for example environment variables: <c>Grpc:Port</c>.</summary>
    Sections,
}

/// <summary>
/// The one reader of settings. Comments and trailing commas are welcome. Unknown names, names given twice, nulls, and values that are not
/// of the kind that is wanted are all told at once, each with its path and what may stand there.
/// </summary>
public static class SettingsJson
{
    private static readonly JsonSerializerOptions File = FormatOf(JsonNamingPolicy.CamelCase);
    private static readonly JsonSerializerOptions Sections = FormatOf(null);

    /// <summary>Reads settings.</summary>
    /// <param name="json">A JSON object.</param>
    /// <param name="form">How names and paths are written.</param>
    /// <param name="root">What stands before every path in messages, for example <c>Scaler</c>; empty for nothing.</param>
    /// <exception cref="BackendSettingsException">It is no JSON, or not of this shape.</exception>
    public static T Read<T>(string json, SettingsForm form = SettingsForm.File, string root = "")
        where T : class
    {
        ArgumentNullException.ThrowIfNull(json);
        var format = form == SettingsForm.File ? File : Sections;
        var errors = new SettingErrors();
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip });
            new Shape(format, form == SettingsForm.File ? '.' : ':', errors).Check(document.RootElement, format.GetTypeInfo(typeof(T)), mayBeNull: false, root);
            if (errors.Sentences.Count == 0)
            {
                return document.Deserialize<T>(format)!;
            }
        }
        catch (JsonException e)
        {
            // The reader's own words tell the place as well, counted from 0.
            var words = e.Message.Split(" LineNumber:")[0].Split(" Path:")[0].TrimEnd('.');
            errors.Add(string.Create(CultureInfo.InvariantCulture, $"line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1} is no JSON: {RemoteWords.Clean(words)}; write an object, as {{\"name\": value}}."));
        }
        catch (InvalidOperationException)
        {
            errors.Add("a name or a text has an escape that is half a character, as \\ud800: write both halves, or the character itself.");
        }

        throw new BackendSettingsException(errors.Sentences);
    }

    /// <summary>The settings' names and kinds of a section, for whoever has them in another form than JSON.</summary>
    public static JsonTypeInfo TypeOf(Type type) => Sections.GetTypeInfo(type);

    private static JsonSerializerOptions FormatOf(JsonNamingPolicy? naming)
    {
        var format = new JsonSerializerOptions
        {
            AllowTrailingCommas = true,
            PropertyNameCaseInsensitive = true,
            PropertyNamingPolicy = naming,
            ReadCommentHandling = JsonCommentHandling.Skip,
            RespectNullableAnnotations = true,
            TypeInfoResolver = new DefaultJsonTypeInfoResolver(),
            Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase, allowIntegerValues: false), new DurationConverter() },
        };
        format.MakeReadOnly();
        return format;
    }

    /// <summary>Holds what was written against the types that it is read into.</summary>
    private sealed class Shape(JsonSerializerOptions format, char separator, SettingErrors errors)
    {
        public void Check(JsonElement element, JsonTypeInfo type, bool mayBeNull, string path)
        {
            switch (element.ValueKind, type.Kind)
            {
                case (JsonValueKind.Null, _) when mayBeNull:
                    break;
                case (JsonValueKind.Object, JsonTypeInfoKind.Object):
                    CheckProperties(element, type, path);
                    break;
                case (JsonValueKind.Object, JsonTypeInfoKind.Dictionary):
                    foreach (var (property, below) in NamesOf(element, path, StringComparer.Ordinal))
                    {
                        Check(property.Value, format.GetTypeInfo(type.ElementType!), mayBeNull: false, below);
                    }

                    break;
                case (JsonValueKind.Array, JsonTypeInfoKind.Enumerable):
                    for (var i = 0; i < element.GetArrayLength(); i++)
                    {
                        Check(element[i], format.GetTypeInfo(type.ElementType!), mayBeNull: false, string.Create(CultureInfo.InvariantCulture, $"{path}[{i}]"));
                    }

                    break;
                default:
                    if (type.Kind != JsonTypeInfoKind.None || !CanBeRead(element, type))
                    {
                        errors.Add(path.Length == 0 ? "the whole" : path, element, "cannot be read", $"give {WantedFor(type)}");
                    }

                    break;
            }
        }

        private void CheckProperties(JsonElement element, JsonTypeInfo type, string path)
        {
            foreach (var (property, below) in NamesOf(element, path, StringComparer.OrdinalIgnoreCase))
            {
                var known = SettingsOf(type).FirstOrDefault(p => string.Equals(p.Name, property.Name, StringComparison.OrdinalIgnoreCase));
                if (known is null)
                {
                    errors.Add($"{below} is no setting: there are {string.Join(", ", SettingsOf(type).Select(p => p.Name))}.");
                }
                else
                {
                    var mayBeNull = known.IsSetNullable && (!known.PropertyType.IsValueType || Nullable.GetUnderlyingType(known.PropertyType) is not null);
                    Check(property.Value, format.GetTypeInfo(known.PropertyType), mayBeNull, below);
                }
            }
        }

        private IEnumerable<(JsonProperty Property, string Path)> NamesOf(JsonElement element, string path, StringComparer comparer)
        {
            var seen = new HashSet<string>(comparer);
            foreach (var property in element.EnumerateObject())
            {
                var name = RemoteWords.Clean(property.Name, 100);
                var isWord = name.Length > 0 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');
                var below = !isWord ? $"{path}['{name}']" : path.Length == 0 ? name : $"{path}{separator}{name}";
                if (!seen.Add(property.Name))
                {
                    errors.Add($"{below} is given twice: leave one of them out.");
                }

                yield return (property, below);
            }
        }

        /// <summary>What can be set; the rest is for code.</summary>
        private static IEnumerable<JsonPropertyInfo> SettingsOf(JsonTypeInfo type) => type.Properties.Where(p => p.Set is not null);

        private static bool CanBeRead(JsonElement element, JsonTypeInfo type)
        {
            try
            {
                return element.Deserialize(type) is not null;
            }
            catch (JsonException)
            {
                return false;
            }
        }

        private static string WantedFor(JsonTypeInfo type)
        {
            var kind = Nullable.GetUnderlyingType(type.Type) ?? type.Type;
            return type.Kind switch
            {
                JsonTypeInfoKind.Object => $"an object, with the names {string.Join(", ", SettingsOf(type).Select(p => p.Name))}",
                JsonTypeInfoKind.Dictionary => "an object, as {\"name\": value}",
                JsonTypeInfoKind.Enumerable => "a list, as [value, value]",
                _ when kind == typeof(TimeSpan) => $"a time, {Durations.Forms}",
                _ when kind == typeof(bool) => "true or false",
                _ when kind == typeof(double) => "a number",
                _ when kind == typeof(int) => "a whole number of at most ten digits",
                _ when kind == typeof(Uri) => "an address in quotes, as \"https://example.com\"",
                _ when kind.IsEnum => "one of " + string.Join(", ", Enum.GetNames(kind).Select(n => $"\"{JsonNamingPolicy.CamelCase.ConvertName(n)}\"")),
                _ => "text in quotes",
            };
        }
    }

    /// <summary>Times as <see cref="Durations"/> reads them. A bare number is seconds, also in quotes: .NET reads "3" as three days.</summary>
    private sealed class DurationConverter : JsonConverter<TimeSpan>
    {
        public override TimeSpan Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            TimeSpan value = default;
            return (reader.TokenType == JsonTokenType.Number && reader.TryGetDouble(out var seconds) && Durations.TryMake(seconds, out value))
                || (reader.TokenType == JsonTokenType.String && Durations.TryParse(reader.GetString(), out value))
                    ? value
                    : throw new JsonException("it is no time");
        }

        public override void Write(Utf8JsonWriter writer, TimeSpan value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.ToString("c", CultureInfo.InvariantCulture));
    }
}
