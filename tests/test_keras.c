/* What the configuration of a Keras model says of its network, in all the words that Keras 1 to 3 have for it, and what
 * is refused by the name of the layer. In these texts ' stands for ". */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/weights/keras.h"
#include "core/weights/store.h"
#include "weight_files.h"

#define LAYER(kind, name, options) "{'class_name':'" kind "','config':{'name':'" name "'" options "}}"
#define CONV LAYER("Conv2D", "c", ",'padding':'same','activation':'relu'")
#define POOL LAYER("MaxPooling2D", "p", ",'pool_size':[2,2],'strides':[2,2]")
#define FLAT LAYER("Flatten", "f", "")
#define DENSE LAYER("Dense", "d", ",'units':2,'activation':'softmax','use_bias':true")
#define TAIL "," POOL "," FLAT "," DENSE
#define NESTED "{'class_name':'Sequential','config':{'layers':["

static enum vgg_status read_config(struct vgg_weights_keras *out, const char *config)
{
    char *path = weight_files_scratch("config.keras"), *text = strdup(config);
    for (char *at = text; (at = strchr(at, '\'')); at++)
        *at = '"';
    struct vgg_weights weights = { .path = path };
    weight_files_listen();
    cr_assert_eq(vgg_zip_write(path, &(struct vgg_zip_part) { "config.json", text, strlen(text) }, 1), VGG_OK);
    cr_assert_eq(vgg_zip_open(&weights.zip, path), VGG_OK);
    enum vgg_status status = vgg_weights_keras(out, &weights);
    vgg_zip_close(weights.zip);
    free(text);
    free(path);
    return status;
}

static enum vgg_status read_layers(struct vgg_weights_keras *out, const char *layers)
{
    size_t size = strlen(layers) + 64;
    char *text = malloc(size);
    snprintf(text, size, "{'class_name':'Sequential','config':{'layers':[%s]}}", layers);
    enum vgg_status status = read_config(out, text);
    free(text);
    return status;
}

Test(keras, heads)
{
    static const struct {
        const char *layers, *head;
    } good[] = {
        { CONV TAIL, "flatten,dense:2:softmax" },
        { CONV "," LAYER("GlobalAveragePooling2D", "g", "") "," DENSE, "gap,dense:2:softmax" },
        { CONV "," LAYER("GlobalMaxPooling2D", "g", "") "," LAYER("Dropout", "o", ",'rate':0.25") "," DENSE,
          "gmp,dropout:0.25,dense:2:softmax" },
        { CONV "," FLAT "," LAYER("Dropout", "o", ",'p':0.5") "," DENSE, "flatten,dropout:0.5,dense:2:softmax" },
        { CONV "," FLAT
               "," LAYER("Dense", "d", ",'output_dim':3") "," LAYER("Activation", "a", ",'activation':'sigmoid'"),
          "flatten,dense:3:sigmoid" },
        { CONV "," FLAT "," LAYER("Dense", "d", ",'units':3,'activation':'relu'") "," DENSE,
          "flatten,dense:3:relu,dense:2:softmax" },
        { CONV "," FLAT "," LAYER("Dense", "d", ",'units':3") "," LAYER("ReLU", "a", "") "," LAYER(
              "Dense", "e", ",'units':2") "," LAYER("Softmax", "s", ""),
          "flatten,dense:3:relu,dense:2:softmax" },
        { CONV "," FLAT "," LAYER("Dense", "d", ",'units':2,'activation':{'class_name':'function','config':'softmax'}"),
          "flatten,dense:2:softmax" },
        { NESTED CONV "," POOL "]}}," LAYER("InputLayer", "i", "") "," FLAT "," DENSE, "flatten,dense:2:softmax" },
        { LAYER("InputLayer", "i", "") "," LAYER("RandomFlip", "r", "") "," CONV TAIL, "flatten,dense:2:softmax" },
        { LAYER("ZeroPadding2D", "z", ",'padding':[1,1]") "," LAYER(
              "Convolution2D", "c", ",'border_mode':'valid'") "," LAYER("Activation", "a", ",'activation':'relu'") TAIL,
          "flatten,dense:2:softmax" },
        { LAYER("ZeroPadding2D", "z", ",'padding':[[1,1],[1,1]]") "," LAYER(
              "Conv2D", "c",
              ",'padding':'valid','strides':1,"
              "'dilation_rate':[1,1],'data_format':'channels_last','activation':'relu'") TAIL,
          "flatten,dense:2:softmax" },
    };
    struct vgg_weights_keras keras;
    weight_files_need_zip();
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_expect_eq(read_layers(&keras, good[i].layers), VGG_OK, "%zu: %s", i, weight_files_lines());
        cr_expect_str_eq(keras.head, good[i].head, "%zu: %s", i, keras.head);
        cr_expect_eq(keras.pooled, strstr(good[i].layers, "MaxPooling2D'") != NULL && !strstr(good[i].layers, "Global"),
                     "%zu", i);
        cr_expect_eq(keras.preprocess, VGG_PREPROCESS_DEFAULT);
        cr_expect(keras.height == 0 && keras.width == 0);
    }
    cr_expect_str_eq(keras.dense[0], "d");
}

/* The extents of its images and how they are scaled. */
Test(keras, images)
{
    static const struct {
        const char *layers;
        int height, width;
        enum vgg_preprocess preprocess;
    } good[] = {
        { LAYER("InputLayer", "i", ",'batch_shape':[null,150,140,3]") "," CONV TAIL, 150, 140, VGG_PREPROCESS_DEFAULT },
        { LAYER("Conv2D", "c", ",'padding':'same','activation':'relu','batch_input_shape':[null,64,48,3]") TAIL, 64, 48,
          VGG_PREPROCESS_DEFAULT },
        { LAYER("InputLayer", "i", ",'batch_shape':[null,null,null,3]") "," CONV TAIL, 0, 0, VGG_PREPROCESS_DEFAULT },
        { LAYER("InputLayer", "i", ",'batch_shape':[null,64,-1,3]") "," CONV TAIL, 0, 0, VGG_PREPROCESS_DEFAULT },
        { LAYER("InputLayer", "i", ",'batch_shape':[null,64,1048577,3]") "," CONV TAIL, 0, 0, VGG_PREPROCESS_DEFAULT },
        { LAYER("InputLayer", "i", ",'batch_shape':[null,1048577,64,3]") "," CONV TAIL, 0, 0, VGG_PREPROCESS_DEFAULT },
        { LAYER("InputLayer", "i", ",'batch_shape':[null,1,1048576,3]") "," CONV TAIL, 1, 1048576,
          VGG_PREPROCESS_DEFAULT },
        { LAYER("InputLayer", "i", ",'batch_shape':[null,1048576,1,3]") "," CONV TAIL, 1048576, 1,
          VGG_PREPROCESS_DEFAULT },
        { LAYER("InputLayer", "i", ",'batch_shape':[null,150,3]") "," CONV TAIL, 0, 0, VGG_PREPROCESS_DEFAULT },
        { LAYER("Rescaling", "r", ",'scale':0.00392156862745098,'offset':0.0") "," CONV TAIL, 0, 0,
          VGG_PREPROCESS_RESCALE },
    };
    struct vgg_weights_keras keras;
    weight_files_need_zip();
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_expect_eq(read_layers(&keras, good[i].layers), VGG_OK, "%zu: %s", i, weight_files_lines());
        cr_expect(keras.height == good[i].height && keras.width == good[i].width, "%zu: %d x %d", i, keras.height,
                  keras.width);
        cr_expect_eq(keras.preprocess, good[i].preprocess, "%zu", i);
    }
}

static const struct {
    const char *layers, *said;
} refused[] = {
    { FLAT "," DENSE, "its configuration has no convolutions" },
    { LAYER("Conv2D", "c", ",'padding':'valid','activation':'relu'") TAIL, "c (Conv2D) does not pad its input" },
    { LAYER("ZeroPadding2D", "z", ",'padding':[2,2]") "," CONV TAIL, "z (ZeroPadding2D) does not pad by 1" },
    { LAYER("ZeroPadding2D", "z", ",'padding':[1,2]") "," CONV TAIL, "z (ZeroPadding2D) does not pad by 1" },
    { LAYER("Conv2D", "c", ",'padding':'same','activation':'relu','strides':[2,2]") TAIL, "has strides or dilation" },
    { LAYER("Conv2D", "c", ",'padding':'same','activation':'relu','strides':[1,2]") TAIL, "has strides or dilation" },
    { LAYER("Conv2D", "c", ",'padding':'same','activation':'relu','dilation_rate':2") TAIL, "has strides or dilation" },
    { LAYER("Conv2D", "c", ",'padding':'same'") TAIL, "c (Conv2D) is not followed by relu" },
    { LAYER("Conv2D", "c", ",'padding':'same','activation':'elu'") "," LAYER("ReLU", "a", "") TAIL,
      "not followed by relu" },
    { LAYER("Conv2D", "c", ",'padding':'same'") "," LAYER("Activation", "a", ",'activation':'tanh'") TAIL,
      "is not followed by relu" },
    { LAYER("Conv2D", "c", ",'padding':'same','activation':'relu','data_format':'channels_first'") TAIL,
      "c (Conv2D) has its channels first" },
    { LAYER("Conv2D", "c", ",'padding':'same','activation':'relu','dim_ordering':'th'") TAIL,
      "has its channels first" },
    { CONV "," POOL "," LAYER("Flatten", "f", ",'data_format':'channels_first'") "," DENSE,
      "f (Flatten) has its channels" },
    { CONV "," LAYER("MaxPooling2D", "q", ",'pool_size':[3,3],'strides':[2,2]") "," CONV TAIL,
      "does not take 2x2 pixels" },
    { CONV "," LAYER("MaxPooling2D", "q", ",'pool_size':2,'strides':[1,1]") "," CONV TAIL, "does not take 2x2 pixels" },
    { LAYER("Rescaling", "r", ",'scale':0.0078,'offset':-1.0") "," CONV TAIL, "r (Rescaling) does not scale by 1/255" },
    { LAYER("Rescaling", "r", ",'scale':0.00392156862745098,'offset':-1.0") "," CONV TAIL, "does not scale by 1/255" },
    { CONV "," LAYER("Rescaling", "r", ",'scale':0.00392156862745098,'offset':0.0") "," CONV TAIL,
      "is none of a VGG's" },
    { LAYER("BatchNormalization", "b", "") "," CONV TAIL, "b (BatchNormalization) is none of a VGG's" },
    { CONV "," LAYER("BatchNormalization", "b", "") "," CONV TAIL, "b (BatchNormalization) is none of a VGG's" },
    { CONV "," POOL "," LAYER("Activation", "a", ",'activation':'relu'") "," CONV TAIL,
      "a (Activation) is none of a VGG's" },
    { CONV "," LAYER("RandomFlip", "r", "") "," CONV TAIL, "r (RandomFlip) is none of a VGG's" },
    { CONV "," POOL "," LAYER("Lambda", "l", "") "," DENSE, "l (Lambda) stands in its head" },
    { CONV "," POOL "," POOL "," FLAT "," DENSE, "p (MaxPooling2D) stands in its head" },
    { CONV "," FLAT "," LAYER("Dense", "d", ",'units':2,'use_bias':false,'activation':'softmax'"), "has no bias" },
    { CONV "," FLAT "," LAYER("Dense", "d", ",'units':2,'activation':'swish'"), "has the activation swish" },
    { CONV "," FLAT "," LAYER("Dense", "d", ",'units':2"), "flatten,dense:2:linear gives no probabilities" },
    { CONV "," FLAT, "its head flatten gives no probabilities" },
    { "{'class_name':'Model','config':{}}", "its configuration lists no layers" },
    { NESTED NESTED NESTED NESTED NESTED NESTED NESTED NESTED CONV "]}}]}}]}}]}}]}}]}}]}}]}}", "lists no layers" },
};

Test(keras, refused)
{
    struct vgg_weights_keras keras;
    weight_files_need_zip();
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        enum vgg_status status = read_layers(&keras, refused[i].layers);
        cr_expect_neq(status, VGG_OK, "%s", refused[i].said);
        if (status == VGG_OK) continue;
        cr_expect(strstr(weight_files_error(), refused[i].said), "\"%s\": %s", refused[i].said, weight_files_lines());
    }
    cr_expect_eq(read_config(&keras, "{'class_name':'Layer','config':{'layers':[" CONV TAIL "]}}"),
                 VGG_ERR_UNSUPPORTED);
    cr_expect(strstr(weight_files_error(), "is of no Sequential and no functional network"));
    cr_expect_eq(read_config(&keras, "{'class_name':'Sequential',"), VGG_ERR_UNSUPPORTED);
    cr_expect_eq(read_config(&keras, "{'class_name':'Sequential','config':[" CONV TAIL "]}"),
                 VGG_OK); /* before 2.2.3 */
}

/* More layers, dense layers and characters than there may be. */
Test(keras, limits)
{
    enum { ROOM = 1 << 17 };
    struct vgg_weights_keras keras;
    char *layers = malloc(ROOM);
    weight_files_need_zip();
    for (int most = 511; most <= 512; most++) { /* with the dense layer that makes it one more */
        size_t used = 0;
        for (int i = 0; i < most - 2; i++)
            used += (size_t)snprintf(layers + used, ROOM - used, "%s,", LAYER("InputLayer", "i", ""));
        used += (size_t)snprintf(layers + used, ROOM - used, "%s,%s,%s", CONV, FLAT, DENSE);
        cr_assert_lt(used, (size_t)ROOM);
        cr_expect_eq(read_layers(&keras, layers), most < 512 ? VGG_OK : VGG_ERR_UNSUPPORTED);
        if (most == 512) cr_expect(strstr(weight_files_error(), "has more than 512 layers"));
    }
    for (int kind = 0; kind < 2; kind++) {
        size_t used = (size_t)snprintf(layers, ROOM, "%s,%s,", CONV, FLAT);
        for (int i = 0; i < (kind ? VGG_WEIGHTS_HEAD : 60); i++)
            used += (size_t)snprintf(layers + used, ROOM - used, "%s,",
                                     kind ? LAYER("Dense", "e", ",'units':2,'activation':'relu'")
                                          : LAYER("Dropout", "o", ",'rate':0.25"));
        snprintf(layers + used, ROOM - used, "%s", DENSE);
        cr_expect_eq(read_layers(&keras, layers), VGG_ERR_UNSUPPORTED);
        cr_expect(strstr(weight_files_error(), kind ? "d (Dense) is one dense layer more than a head may have here"
                                                    : "o (Dropout) makes its head longer than is read here"),
                  "%s", weight_files_lines());
    }
    free(layers);
}

#define NODE(kind, name, options, inputs) \
    "{'class_name':'" kind "','name':'" name "','config':{" options "},'inbound_nodes':[" inputs "]}"
#define OF(name) "[['" name "',0,0,{}]]"

/* Layers in any order, each of which takes what another gives. */
Test(keras, functional_networks)
{
    static const char input[] = NODE("InputLayer", "i", "'batch_shape':[null,32,48,3]", "") ",";
    static const char conv[] = NODE("Conv2D", "c", "'padding':'same','activation':'relu'", OF("i")) ",";
    static const char flat[] = NODE("Flatten", "f", "", OF("c")) ",";
    static const char dense[] = NODE("Dense", "d", "'units':2,'activation':'softmax'", OF("f"));
    static const struct {
        const char *more, *dense, *said;
    } tries[] = {
        { "", dense, NULL },
        { NODE("Flatten", "g", "", OF("c")) ",", dense, "it branches at g (Flatten)" },
        { "", NODE("Concatenate", "d", "", "[['f',0,0,{}],['x',0,0,{}]]"), "it branches at d (Concatenate)" },
        { "", NODE("Add", "d", "", "[['c',0,0,{}],['f',0,0,{}],['i',0,0,{}]]"), "it branches at f (Flatten)" },
        { NODE("InputLayer", "j", "", "") ",", dense, "it branches at j (InputLayer)" },
        { "", NODE("Dense", "f", "'units':2,'activation':'softmax'", OF("f")), "it branches at f (Dense)" },
        { "", NODE("Dense", "d", "'units':2,'activation':'softmax'", "[[[[[[[[[['f',0,0]]]]]]]]]]"),
          "it branches at i" },
    };
    struct vgg_weights_keras keras;
    char text[4096];
    weight_files_need_zip();
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        snprintf(text, sizeof text, "{'class_name':'Functional','config':{'layers':[%s%s%s%s%s]}}", tries[i].more, flat,
                 conv, input, tries[i].dense);
        enum vgg_status status = read_config(&keras, text);
        cr_expect_eq(status, tries[i].said ? VGG_ERR_UNSUPPORTED : VGG_OK, "%zu: %s", i, weight_files_lines());
        if (status != VGG_OK)
            cr_expect(strstr(weight_files_error(), tries[i].said), "\"%s\": %s", tries[i].said, weight_files_lines());
        if (status != VGG_OK) continue;
        cr_expect_str_eq(keras.head, "flatten,dense:2:softmax");
        cr_expect(keras.height == 32 && keras.width == 48);
        cr_expect_not(keras.pooled);
    }
}
